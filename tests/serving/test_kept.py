"""Fetched bundles on disk: which stay, which go, and what aliases meant."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from serving.kept import KEPT, Shelf

ADDRESS = "http://localhost:5000"
HOLD = """
import sys
from pathlib import Path
from serving.kept import Shelf
with Shelf(Path(sys.argv[1]), sys.argv[2], "flowers").take(sys.argv[3]) as kept:
    pass
print("taken", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path, ADDRESS, "flowers")


def fill(shelf, version):
    """Take a version as a download does."""
    with shelf.take(version) as kept:
        kept.folder.mkdir(exist_ok=True)
        (kept.folder / "model.onnx").write_text(version)
    return kept


def use(shelf, *versions):
    for version in versions:
        fill(shelf, version).let_go()


def found(tmp_path) -> set[str]:
    """The versions on disk; none of them is a part."""
    folders = {path.parent for path in tmp_path.rglob("*.onnx")}
    assert {folder.name for folder in folders} <= {"bundle"}
    return {folder.parent.name for folder in folders}


@contextmanager
def another_process_with(tmp_path, version):
    command = [sys.executable, "-c", HOLD, str(tmp_path), ADDRESS, version]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "taken\n"
        try:
            yield
        finally:
            process.kill()


def test_the_last_used_stay(shelf, tmp_path):
    assert KEPT == 3
    use(shelf, "1", "2", "3", "4", "10")
    assert found(tmp_path) == {"3", "4", "10"}
    use(shelf, "3", "11", "12")
    assert found(tmp_path) == {"3", "11", "12"}


def test_whole_folders_go(shelf, tmp_path):
    use(shelf, "1", "2", "3", "4")
    [model] = (tmp_path / "localhost%3A5000").iterdir()
    assert {path.name for path in model.iterdir()} == {"2", "3", "4"}


def test_what_is_used_stays(shelf, tmp_path):
    first = fill(shelf, "1")
    use(shelf, "2", "3", "4", "5")
    assert found(tmp_path) == {"1", "3", "4", "5"}
    first.let_go()
    use(shelf, "6")
    assert found(tmp_path) == {"4", "5", "6"}


def test_what_another_process_uses_stays_until_it_ends(shelf, tmp_path):
    use(shelf, "1")
    with another_process_with(tmp_path, "1"):
        use(shelf, "2", "3", "4", "5")
        assert found(tmp_path) == {"1", "3", "4", "5"}
    use(shelf, "6")
    assert found(tmp_path) == {"4", "5", "6"}


def test_what_an_alias_means_stays(shelf, tmp_path):
    use(shelf, "1")
    shelf.remember("champion", "1")
    use(shelf, "2", "3", "4", "5")
    assert found(tmp_path) == {"1", "3", "4", "5"}
    shelf.remember("champion", "5")
    use(shelf, "6")
    assert found(tmp_path) == {"4", "5", "6"}


def test_models_and_servers_do_not_count_for_each_other(shelf, tmp_path):
    use(shelf, "1", "2")
    use(Shelf(tmp_path, ADDRESS, "trees"), "3", "4")
    use(Shelf(tmp_path, "http://other:5000", "flowers"), "5", "6")
    assert found(tmp_path) == {"1", "2", "3", "4", "5", "6"}


def test_a_place_that_stays_empty_goes(shelf, tmp_path):
    with pytest.raises(ZeroDivisionError), shelf.take("7"):
        _ = 1 / 0
    assert list(tmp_path.rglob("7")) == []


def test_a_place_whose_filling_fails_is_let_go_of(shelf, tmp_path):
    use(shelf, "1")
    with pytest.raises(ZeroDivisionError), shelf.take("1"):
        _ = 1 / 0
    use(shelf, "2", "3", "4")
    assert found(tmp_path) == {"2", "3", "4"}


def test_what_killed_processes_left_goes(shelf, tmp_path):
    use(shelf, "1")
    [model] = (tmp_path / "localhost%3A5000").iterdir()
    for name in (".evicted-0123", ".download-old", ".download-new"):
        (model / name).mkdir()
        (model / name / "model.bin").write_text("x")
    yesterday = (datetime.now(UTC) - timedelta(days=2)).timestamp()
    os.utime(model / ".download-old", (yesterday, yesterday))
    use(shelf, "2")
    assert {path.name for path in model.iterdir()} == {"1", "2", ".download-new"}


def test_what_an_alias_meant_is_known_to_a_later_process(shelf, tmp_path):
    assert shelf.recall("champion") is None
    use(shelf, "12")
    shelf.remember("champion", "12")
    again = Shelf(tmp_path, ADDRESS, "flowers")
    meaning = again.recall("champion")
    assert meaning.version == "12"
    assert abs(meaning.known - datetime.now(UTC)) < timedelta(minutes=5)
    assert again.recall("challenger") is None
    again.remember("champion", "13")
    assert shelf.recall("champion").version == "13"


@pytest.mark.parametrize("content", [b"", b"../../x", b"\xff", b"-1", b"12\n"])
def test_a_spoilt_note_is_none(shelf, tmp_path, content):
    use(shelf, "12")
    shelf.remember("champion", "12")
    [file] = tmp_path.rglob("@champion")
    file.write_bytes(content)
    assert shelf.recall("champion") is None
    use(shelf, "13")


def test_names_lead_nowhere_else(tmp_path):
    shelf = Shelf(tmp_path / "kept", ADDRESS, "a b")
    use(shelf, "1")
    shelf.remember("../../x", "1")
    assert shelf.recall("../../x").version == "1"
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert all(Path(path).is_relative_to(tmp_path / "kept") for path in tmp_path.rglob("*x*"))
