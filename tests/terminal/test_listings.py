"""What `tlsearch backbones`, `schema` and `doctor` print."""

from __future__ import annotations

import json

import pytest

from tlsearch.backbones.table import BACKBONES
from tlsearch.terminal.doctor import examine
from tlsearch.terminal.listings import print_schema, show_backbones


def _rows(printed):
    """The table's cells by the first of each line."""
    lines = [line for line in printed.splitlines() if "│" in line]
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]
    return {first: rest for first, *rest in cells}


def test_a_line_for_each_backbone(capsys):
    show_backbones(json=False)
    printed = capsys.readouterr().out
    rows = _rows(printed)
    assert list(rows) == list(BACKBONES)
    assert rows["ResNet10"] == ["96", "642,704", "built in", "-", "4", "-"]
    assert rows["MobileNet"][2:] == ["ImageNet", "70.4 %", "13", "0.25, 0.5, 0.75, 1"]
    assert "weights" in printed.splitlines()[1]


def test_backbones_as_json(capsys):
    show_backbones(json=True)
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["data"]}
    assert rows.keys() == BACKBONES.keys()
    own = rows["ResNet10"]
    assert (own["weights"], own["top1"], own["weights_address"]) == ("builtin", None, None)
    assert (rows["VGG16"]["weights"], rows["VGG16"]["top1"]) == ("imagenet", 71.3)


@pytest.mark.parametrize(("recipe", "title"), [(False, "sweep file"), (True, "recipe")])
def test_each_kind_of_file_has_its_schema(capsys, recipe, title):
    print_schema(recipe=recipe)
    schema = json.loads(capsys.readouterr().out)
    assert schema["title"] == f"tlsearch {title}"
    assert ("space" in schema["properties"]) is not recipe
    assert ("method" in schema["properties"]) is recipe


def test_a_schema_as_the_json_of_other_commands(capsys):
    print_schema(recipe=False, json=True)
    printed = json.loads(capsys.readouterr().out)
    assert printed["schema"] == 1
    assert printed["data"]["title"] == "tlsearch sweep file"


@pytest.mark.parametrize("there", [True, False])
def test_doctor_looks_for_the_weights_of_the_package(capsys, tmp_path, monkeypatch, there):
    monkeypatch.setattr("tlsearch.backbones.weights._BUILTIN", tmp_path)
    monkeypatch.setenv("TLSEARCH_HOME", str(tmp_path / "home"))
    if there:
        (tmp_path / "resnet10.weights.h5").write_bytes(bytes(3000))
    code = examine(json=True)
    findings = {one["what"]: one for one in json.loads(capsys.readouterr().out)["data"]}
    found = findings["ResNet10's own weights"]
    assert found["fine"] is there
    assert found["found"] == ("they come with tlsearch (3 KiB)" if there else "missing")
    assert not found["needed"] or there
    assert code == (0 if all(one["fine"] or not one["needed"] for one in findings.values()) else 3)
