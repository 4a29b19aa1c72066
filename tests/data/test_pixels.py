"""The pixel store: what it holds, what it remembers, and what it survives."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tlsearch.data.photo import read_photo
from tlsearch.data.pixels import PixelStore
from tlsearch.errors import HomeError

SIZE = 16


@pytest.fixture
def make(tmp_path):
    def make_photos(count, start=0):
        """Different PNG files by the digest of their content."""
        found = {}
        for number in range(start, start + count):
            values = np.random.default_rng(number).integers(0, 256, (20, 24, 3), np.uint8)
            file = tmp_path / f"{number}.png"
            Image.fromarray(values).save(file)
            found[hashlib.sha256(file.read_bytes()).hexdigest()] = file
        return found

    return make_photos


@pytest.fixture
def store(tmp_path):
    return PixelStore(tmp_path / "store", SIZE)


def assert_holds(store, photos):
    rows = store.rows(list(photos))
    assert rows.dtype == np.int64
    assert len(set(rows.tolist())) == len(photos)
    for row, file in zip(rows, photos.values(), strict=True):
        assert np.array_equal(store.pixels[row], read_photo(file, SIZE))


def test_an_empty_store(store):
    assert store.pixels.shape == (0, SIZE, SIZE, 3)
    assert store.rows([]).shape == (0,)
    assert store.add({}) == {}
    with pytest.raises(KeyError):
        store.rows(["00" * 32])
    assert not store.folder.exists()


def test_pixels_are_what_reading_a_photo_gives(store, make):
    photos = make(20)
    assert store.add(photos) == {}
    assert_holds(store, photos)
    assert store.pixels.shape == (20, SIZE, SIZE, 3)
    with pytest.raises(ValueError, match="read-only"):
        store.pixels[0] = 0


def test_several_chunks(store, make, monkeypatch):
    monkeypatch.setattr("tlsearch.data.pixels._CHUNK_BYTES", 3 * SIZE * SIZE * 3)
    photos = make(20)
    store.add(photos)
    assert_holds(store, photos)


def test_a_store_only_grows(store, make):
    first, second = make(5), make(5, start=5)
    store.add(first)
    rows = store.rows(list(first))
    store.add(second)
    assert np.array_equal(store.rows(list(first)), rows)
    assert_holds(store, first | second)


def test_what_is_there_is_not_decoded_again(store, make):
    photos = make(5)
    store.add(photos)
    for file in photos.values():
        file.unlink()
    assert PixelStore(store.folder, SIZE).add(photos) == {}
    assert store.pixels.shape[0] == 5


def test_another_object_sees_what_was_added(store, make):
    photos = make(4)
    reader = PixelStore(store.folder, SIZE)
    assert len(reader.pixels) == 0
    store.add(photos)
    assert_holds(reader, photos)


def test_unreadable_photos_are_remembered(store, make, tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"no photo")
    bad = hashlib.sha256(b"no photo").hexdigest()
    photos = make(3) | {bad: tmp_path / "bad.jpg"}
    reasons = store.add(photos)
    assert list(reasons) == [bad]
    (tmp_path / "bad.jpg").unlink()
    assert PixelStore(store.folder, SIZE).add(photos) == reasons
    assert store.add(make(3)) == {}


def test_a_photo_that_changed_or_vanished_is_tried_again(store, make):
    photos = make(2)
    (first, gone), (second, changed) = photos.items()
    data = {file: file.read_bytes() for file in (gone, changed)}
    gone.unlink()
    changed.write_bytes(b"other")
    reasons = store.add(photos)
    assert "No such file" in reasons[first]
    assert "changed" in reasons[second]
    for file, content in data.items():
        file.write_bytes(content)
    assert store.add(photos) == {}
    assert_holds(store, photos)


@pytest.mark.parametrize("file", ["pixels.bin", "index.bin", "unreadable.jsonl"])
def test_a_torn_tail_is_cut_off(store, make, file):
    first, second = make(3), make(3, start=3)
    store.add(first)
    with (store.folder / file).open("ab") as opened:
        opened.write(b"torn tail")
    fresh = PixelStore(store.folder, SIZE)
    assert_holds(fresh, first)
    assert fresh.add(second) == {}
    assert_holds(fresh, first | second)
    assert (store.folder / "pixels.bin").stat().st_size == 6 * SIZE * SIZE * 3


def test_an_index_beyond_the_pixels_is_cut_off(store, make):
    photos = make(4)
    store.add(photos)
    with (store.folder / "pixels.bin").open("r+b") as opened:
        opened.truncate(2 * SIZE * SIZE * 3 + 5)
    fresh = PixelStore(store.folder, SIZE)
    assert fresh.add(photos) == {}
    assert_holds(fresh, photos)


def test_an_index_that_a_power_cut_left_with_zeros(store, make):
    first, second = make(3), make(2, start=3)
    store.add(first)
    for name, zeros in (("index.bin", 2 * 32), ("pixels.bin", 2 * SIZE * SIZE * 3)):
        with (store.folder / name).open("ab") as opened:
            opened.write(bytes(zeros))
    fresh = PixelStore(store.folder, SIZE)
    assert fresh.add(second) == {}
    assert_holds(fresh, first | second)


def test_a_full_disk_is_explained_and_survived(store, make):
    photos = make(3)
    store.folder.mkdir()
    (store.folder / "pixels.bin").symlink_to("/dev/full")
    with pytest.raises(HomeError, match="No space left"):
        store.add(photos)
    (store.folder / "pixels.bin").unlink()
    assert store.add(photos) == {}
    assert_holds(store, photos)


KILLED_BETWEEN_PIXELS_AND_INDEX = """
import os, signal, sys
from pathlib import Path
from tlsearch.data import pixels

append = pixels._append
def append_or_die(file, parts):
    if file.name == "index.bin":
        os.kill(os.getpid(), signal.SIGKILL)
    append(file, parts)
pixels._append = append_or_die
photos = dict(line.split(" ", 1) for line in sys.stdin.read().splitlines())
pixels.PixelStore(Path(sys.argv[1]), 16).add({d: Path(p) for d, p in photos.items()})
"""

ADDING = """
import sys
from pathlib import Path
from tlsearch.data.pixels import PixelStore

photos = dict(line.split(" ", 1) for line in sys.stdin.read().splitlines())
print("ready", flush=True)
assert PixelStore(Path(sys.argv[1]), 16).add({d: Path(p) for d, p in photos.items()}) == {}
"""


def start(script, store):
    return subprocess.Popen(
        [sys.executable, "-c", script, str(store.folder)], stdin=subprocess.PIPE, text=True
    )


def lines(photos):
    return "".join(f"{digest} {file}\n" for digest, file in photos.items())


def test_kill_between_pixels_and_index(store, make):
    first, second = make(3), make(4, start=3)
    store.add(first)
    process = start(KILLED_BETWEEN_PIXELS_AND_INDEX, store)
    process.communicate(lines(second), timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert (store.folder / "pixels.bin").stat().st_size == 7 * SIZE * SIZE * 3
    fresh = PixelStore(store.folder, SIZE)
    assert len(fresh.pixels) == 3
    assert fresh.add(second) == {}
    assert (store.folder / "pixels.bin").stat().st_size == 7 * SIZE * SIZE * 3
    assert_holds(fresh, first | second)


def test_two_processes_add_at_the_same_time(store, make):
    photos = make(120)
    items = list(photos.items())
    processes = [start(ADDING, store), start(ADDING, store)]
    processes[0].stdin.write(lines(dict(items[:80])))
    processes[1].stdin.write(lines(dict(items[40:])))
    for process in processes:
        process.stdin.close()
    assert [process.wait(timeout=60) for process in processes] == [0, 0]
    assert len(store.pixels) == 120
    assert_holds(store, photos)
