"""`tlsearch store`: what it lists, what it removes, what it says of nothing."""

from __future__ import annotations

import json

import pytest
from tiny_activations import SHAPE, contents, expected, flip, key, shards

from tlsearch.cli import main
from tlsearch.paths import Paths
from tlsearch.store.store import ActivationStore


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("TLSEARCH_HOME", str(tmp_path))
    return ActivationStore(Paths.from_environment().activations, 10**9)


@pytest.fixture
def filled(store):
    """Two entries, `b` used after `a`."""
    for cut, photos in (("a", 2_000), ("b", 3)):
        with store.open(key(cut=cut)) as entry:
            entry.fill(contents(photos), SHAPE, expected)
            entry.note({"parameters": 7})
    return store


@pytest.fixture
def call(capsys, monkeypatch):
    """Runs the command; its exit code, stdout and stderr."""

    def call_main(*arguments):
        monkeypatch.setattr("sys.argv", ["tlsearch", "store", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return call_main


def test_an_empty_store(call, store):
    code, stdout, _ = call()
    assert code == 0
    assert stdout == f"no activations are stored under {store.folder}\n"
    assert not store.folder.exists()


def test_an_empty_store_as_json(call, store):
    code, stdout, _ = call("--json")
    told = json.loads(stdout)
    assert (code, told["schema"]) == (0, 1)
    assert (told["data"]["entries"], told["data"]["bytes"]) == ([], 0)
    assert told["data"]["folder"] == str(store.folder)


def test_a_line_for_each_entry(call, filled):
    with filled.open(key(cut="a")):
        code, stdout, _ = call()
    rows = [line for line in stdout.splitlines() if "MobileNet" in line]
    cells = [[cell.strip() for cell in row.strip("│").split("│")] for row in rows]
    assert code == 0
    assert [row[:5] for row in cells] == [
        ["MobileNet(alpha=0.25)", "96", "a", "original", "2,000"],
        ["MobileNet(alpha=0.25)", "96", "b", "original", "3"],
    ]
    assert [row[-1] for row in cells] == ["yes", "no"]
    assert cells[0][5] == "0.4 MB"
    assert "2 entries, 0.4 MB" in stdout
    assert "the limit is 20.00 GB" in stdout


def test_entries_as_json(call, filled):
    _, stdout, _ = call("--json")
    data = json.loads(stdout)["data"]
    first = data["entries"][0]
    assert (first["key"]["cut"], first["photos"], first["shape"]) == ("b", 3, list(SHAPE))
    assert first["digest"] == key(cut="b").digest
    assert (first["in_use"], first["facts"]) == (False, {"parameters": 7})
    assert data["bytes"] == sum(entry["bytes"] for entry in data["entries"])
    assert data["limit_bytes"] == 20 * 10**9
    assert (data["evicted"], data["verified"]) == (None, None)


def test_prune(call, filled):
    code, stdout, _ = call("--limit", "0.0001")
    assert code == 0
    assert "removed 1 entry, 0.4 MB" in stdout
    assert [one.key.cut for one in filled.entries()] == ["b"]
    _, stdout, _ = call("--limit", "0", "--json")
    data = json.loads(stdout)["data"]
    assert [entry["key"]["cut"] for entry in data["evicted"]] == ["b"]
    assert data["entries"] == []


def test_a_limit_above_what_is_there(call, filled):
    assert "removed 0 entries" in call("--limit", "5")[1]
    assert len(filled.entries()) == 2


@pytest.mark.parametrize("limit", ["-1", "nan", "inf"])
def test_a_limit_that_is_no_size(call, filled, limit):
    code, stdout, stderr = call("--limit", limit)
    assert (code, stdout) == (2, "")
    assert "0 or more" in stderr
    assert len(filled.entries()) == 2


def test_verify(call, filled):
    assert "checked 5 shards: none was damaged" in call("--verify")[1]
    flip(shards(filled.folder)[0].with_suffix(".rows"))
    assert "checked 5 shards: 1 was damaged and removed" in call("--verify")[1]
    data = json.loads(call("--verify", "--json")[1])["data"]
    assert (data["verified"]["intact"], data["verified"]["damaged"]) == (4, 0)
