"""Folders that are made whole: once, by one process, or not at all."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tlsearch.data.writing import make_whole
from tlsearch.errors import HomeError


def left_in(folder):
    return [path.name for path in folder.iterdir() if path.suffix != ".lock"]


def test_many_that_want_it_get_one(tmp_path):
    calls = []

    def fill(folder):
        calls.append(folder)
        (folder / "file").touch()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: make_whole(tmp_path / "it", fill), range(8)))
    assert len(calls) == 1
    assert left_in(tmp_path) == ["it"]
    assert left_in(tmp_path / "it") == ["file"]


def test_a_failure_leaves_nothing(tmp_path):
    def fill(folder):
        (folder / "file").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_whole(tmp_path / "it", fill)
    assert left_in(tmp_path) == []


def test_a_full_disk_is_explained(tmp_path):
    with pytest.raises(HomeError, match="No space left"):
        make_whole(tmp_path / "it", lambda folder: Path("/dev/full").write_text("x") and None)
    assert left_in(tmp_path) == []
