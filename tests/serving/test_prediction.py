"""`tlsearch predict` (tlsearch/terminal/prediction.py): here, for its bundles and its registry."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import subprocess
import sys

import numpy as np
import pytest
from mlflow_registry import copied
from PIL import Image
from tiny_bundle import LABELS

from serving import Bundle, Engine, Prediction
from tlsearch.errors import NoResultError, SetupError, UsageError
from tlsearch.terminal.prediction import expand, predict_images
from tlsearch.terminal.prediction_rows import write_csv, write_json, write_lines

COLOURS = {"a.jpg": "red", "b.JPE": "green", "c.jfif": "blue", "deep/d.png": "red"}


@pytest.fixture
def photos(tmp_path):
    """Photos of one colour, a torn one, and files that are not to be looked at."""
    folder = tmp_path / "photos"
    for name, colour in COLOURS.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 20), colour).save(path, "PNG" if name.endswith("png") else "JPEG")
    whole = (folder / "a.jpg").read_bytes()
    (folder / "torn.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / ".hidden.jpg").write_bytes(whole)
    (folder / "notes.txt").write_text("no photo")
    return folder


def command(*arguments, **options):
    line = [sys.executable, "-m", "tlsearch", "predict", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, timeout=120, **options)


def test_a_folder_as_csv(bundle_folder, photos, capsys):
    predict_images(bundle_folder, [photos], json=False, csv=True)
    *rows, torn = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert [row["image"] for row in rows] == [str(photos / name) for name in COLOURS]
    assert [row["label"] for row in rows] == list(COLOURS.values())
    for row in rows:
        assert {row["label"], row["label_2"], row["label_3"]} == set(LABELS)
        values = [float(row[f"probability{place}"]) for place in ("", "_2", "_3")]
        assert values == sorted(values, reverse=True)
        assert sum(values) == pytest.approx(1, abs=1e-5)
        assert row["error"] == ""
    assert torn["image"] == str(photos / "torn.jpg")
    assert torn["error"]
    assert {value for key, value in torn.items() if key not in ("image", "error")} == {""}


def test_a_folder_as_json(bundle_folder, photos, capsys):
    predict_images(bundle_folder, [photos], json=True, csv=False)
    answer = json.loads(capsys.readouterr().out)
    assert answer["schema"] == 1
    *rows, torn = answer["data"]
    assert [row["label"] for row in rows] == list(COLOURS.values())
    for row in rows:
        assert row["probabilities"].keys() == set(LABELS)
        assert row["probabilities"][row["label"]] == row["probability"]
    assert torn.keys() == {"image", "error"}


def test_files_as_lines(bundle_folder, photos, capsys):
    predict_images(bundle_folder, [photos / "b.JPE", photos / "torn.jpg"], json=False, csv=False)
    green, torn = capsys.readouterr().out.splitlines()
    assert green.split()[0] == "green"
    assert green.endswith(str(photos / "b.JPE"))
    assert torn.split()[:3] == ["-", "-", str(photos / "torn.jpg")]


def test_the_engine_alone_says_the_same(bundle_folder, photos, capsys):
    predict_images(bundle_folder, [photos / "deep"], json=True, csv=False)
    (row,) = json.loads(capsys.readouterr().out)["data"]
    (expected,) = Engine(Bundle.open(bundle_folder)).classify([photos / "deep" / "d.png"])
    assert [*row["probabilities"].values()] == pytest.approx(expected.probabilities, abs=1e-6)


@pytest.mark.parametrize("write", [write_csv, write_json, write_lines])
def test_a_row_is_written_before_the_next_photo_is_looked_at(write):
    stream = io.StringIO()

    def predictions():
        for number in range(5):
            yield Prediction(f"photo {number}", "red", 1.0, np.eye(3, dtype=np.float32)[0])
            assert f"photo {number}" in stream.getvalue()

    write(stream, LABELS, predictions())
    assert "photo 4" in stream.getvalue()


def test_two_classes_have_two_columns():
    stream = io.StringIO()
    found = Prediction("a.jpg", "b", 0.75, np.array([0.25, 0.75], np.float32))
    write_csv(stream, ["a", "b"], [found])
    assert stream.getvalue().splitlines() == [
        "image,label,probability,label_2,probability_2,error",
        "a.jpg,b,0.75,a,0.25,",
    ]


def test_nothing_readable(bundle_folder, photos):
    done = command(bundle_folder, photos / "torn.jpg", photos / "notes.txt", "--csv")
    assert done.returncode == 1
    assert b"no photo could be read" in done.stderr
    assert len(done.stdout.splitlines()) == 3


def test_what_is_no_photo(tmp_path, photos):
    with pytest.raises(UsageError, match="no such photo"):
        expand([photos / "a.jpg", tmp_path / "none.jpg"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no photos") as caught:
        expand([tmp_path / "empty"])
    assert ".jfif" in caught.value.expected


def test_rows_go_where_they_are_sent_while_a_bar_is_shown(bundle_folder, photos, tmp_path):
    terminal, end = pty.openpty()
    line = [sys.executable, "-m", "tlsearch", "predict", str(bundle_folder), str(photos), "--csv"]
    with (tmp_path / "rows.csv").open("wb") as rows:
        done = subprocess.Popen(line, stdout=rows, stderr=end)
    os.close(end)
    shown = b""
    try:
        while part := os.read(terminal, 1 << 16):
            shown += part
    except OSError:  # Linux says so when the other end is closed
        pass
    assert done.wait(timeout=60) == 0
    os.close(terminal)
    assert b"classifying" in shown
    assert b"red,0." not in shown
    assert len((tmp_path / "rows.csv").read_text().splitlines()) == 2 + len(COLOURS)


def test_a_reader_that_has_had_enough(bundle_folder, photos):
    read, write = os.pipe()
    os.close(read)
    line = [sys.executable, "-m", "tlsearch", "predict", str(bundle_folder), str(photos), "--csv"]
    done = subprocess.run(line, stdout=write, stderr=subprocess.PIPE, timeout=120)
    os.close(write)
    assert b"Traceback" not in done.stderr


def test_a_name_that_is_no_text(bundle_folder, photos):
    odd = os.fsencode(photos) + b"/\xff.jpg"
    os.link(photos / "a.jpg", odd)
    done = command(bundle_folder, photos, "--csv")
    assert done.returncode == 0, done.stderr
    assert odd + b",red," in done.stdout


def test_a_bundle_of_a_registry(mlflow_proxied, registrar, bundle_folder, photos, tmp_path):
    registrar.register("predicted", copied(bundle_folder, tmp_path))
    home = os.environ | {"TLSEARCH_HOME": str(tmp_path / "home")}
    there = home | {"MLFLOW_TRACKING_URI": mlflow_proxied.uri}
    done = command("models:/predicted@champion", photos, "--json", env=there)
    assert done.returncode == 0, done.stderr
    assert [row.get("label") for row in json.loads(done.stdout)["data"]][:4] == [*COLOURS.values()]
    done = command("models:/predicted@best", photos, env=there)
    assert done.returncode == 3
    assert b"models:/predicted@best" in done.stderr


def test_a_registry_without_an_address(photos, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(SetupError, match="address of an MLflow server"):
        predict_images("models:/flowers@champion", [photos], json=False, csv=False)


def test_no_result_names_the_count(bundle_folder, photos):
    with pytest.raises(NoResultError) as caught:
        predict_images(bundle_folder, [photos / "torn.jpg"], json=True, csv=False)
    assert caught.value.received == "1 file"
