"""The store: what is evicted, in which order, and what never is; also across processes."""

from __future__ import annotations

import errno
import os
import signal
from types import SimpleNamespace

import numpy as np
import pytest
from tiny_activations import ROW_BYTES, SHAPE, contents, expected, key, linux, open_files, start

from tlsearch.errors import HomeError
from tlsearch.store import locks
from tlsearch.store.store import ActivationStore

HOLD = """
import sys
from pathlib import Path
from tiny_activations import key
from tlsearch.store.store import ActivationStore

with ActivationStore(Path(sys.argv[1]), 10**9).open(key(cut=sys.argv[2])):
    print("held", flush=True)
    sys.stdin.read()
"""

OPEN_AND_READ = """
import sys
from pathlib import Path
import numpy as np
from tiny_activations import SHAPE, contents, expected, key
from tlsearch.store.store import ActivationStore

photos = contents(6)
for number in range(30):
    opened = ActivationStore(Path(sys.argv[1]), 10**9).open(key(cut=str(number % 3)))
    with opened as entry:
        entry.fill(photos, SHAPE, expected)
        received = entry.rows(photos).read()
    assert np.array_equal(received, expected(photos).astype(np.float16))
"""


@pytest.fixture
def fill(store):
    """Fills entries of these cuts one after the other, and closes them."""

    def fill_cuts(*cuts, photos=8):
        for cut in cuts:
            with store.open(key(cut=cut)) as entry:
                entry.fill(contents(photos), SHAPE, expected)

    return fill_cuts


@pytest.fixture
def hold(folder):
    """Starts a process that has the entry of a cut open."""
    started = []

    def start_one(cut):
        process = start(HOLD, folder, cut)
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start_one
    for process in started:
        process.kill()
        process.communicate()


def cuts(store):
    return [one.key.cut for one in store.entries()]


def names(store):
    return {path.name for path in store.folder.iterdir()}


def size(store):
    return max(one.bytes_ for one in store.entries())


def test_an_empty_store(store):
    assert store.entries() == []
    assert store.prune(0) == []
    assert store.verify().intact == 0
    assert not store.holds(key())
    assert not store.folder.exists()
    assert store.make_room(10)
    assert not store.make_room(10**9 + 1)


def test_what_the_entries_hold(store, fill):
    fill("a")
    (one,) = store.entries()
    assert (one.key, one.photos, one.shape, one.in_use) == (key(cut="a"), 8, SHAPE, False)
    files = sum(file.stat().st_size for file in (store.folder / one.key.digest).iterdir())
    assert one.bytes_ == files > 8 * ROW_BYTES
    assert store.holds(key(cut="a"))
    with store.open(key(cut="a")):
        assert store.entries()[0].in_use


def test_an_entry_that_was_opened_and_not_filled_is_not_listed(store):
    with store.open(key()):
        assert store.entries() == []
        assert not store.holds(key())


def test_the_least_recently_used_go_first(store, fill):
    fill("a", "b", "c")
    with store.open(key(cut="a")):
        pass
    assert cuts(store) == ["a", "c", "b"]
    store.limit = 3 * size(store)
    assert store.make_room(1)
    assert cuts(store) == ["a", "c"]
    assert store.make_room(2 * size(store))
    assert cuts(store) == ["a"]


def test_nothing_goes_while_there_is_room(store, fill):
    fill("a", "b")
    store.limit = 3 * size(store)
    assert store.make_room(size(store) // 2)
    assert len(cuts(store)) == 2


def test_nothing_goes_where_that_would_not_be_enough(store, fill):
    fill("a", "b")
    store.limit = 2 * size(store)
    assert not store.make_room(store.limit + 1)
    with store.open(key(cut="b")):
        assert not store.make_room(2 * size(store))
    assert len(cuts(store)) == 2


def test_what_is_in_use_never_goes(store, fill):
    fill("a", "b", "c")
    with store.open(key(cut="a")) as entry:
        with store.open(key(cut="b")), store.open(key(cut="b")):
            pass
        evicted = store.prune(0)
        assert sorted(one.key.cut for one in evicted) == ["b", "c"]
        assert cuts(store) == ["a"]
        assert len(entry.rows(contents(8)).read()) == 8
    assert [one.key.cut for one in store.prune(0)] == ["a"]
    assert names(store) == set()


def test_an_entry_that_was_evicted_is_made_anew(store, fill):
    fill("a")
    store.prune(0)
    with store.open(key(cut="a")) as entry:
        assert entry.missing(contents(8)) == contents(8)
    fill("a")
    assert cuts(store) == ["a"]


def test_room_that_the_disk_does_not_have(store, fill, monkeypatch):
    fill("a", "b")
    taken = size(store)

    def disk_usage(folder):
        """A disk on which three entries have room."""
        return SimpleNamespace(free=3 * taken - sum(one.bytes_ for one in store.entries()))

    monkeypatch.setattr("shutil.disk_usage", disk_usage)
    assert store.make_room(taken)
    assert len(cuts(store)) == 2
    assert store.make_room(taken + 1)
    assert cuts(store) == ["b"]
    assert not store.make_room(4 * taken)
    assert cuts(store) == ["b"]


@linux
def test_a_closed_entry_gives_the_disk_its_room_back(store, fill, folder):
    fill("a")
    with store.open(key(cut="a")) as entry:
        entry.rows(contents(8)).read()
    store.prune(0)
    assert open_files(folder) == []


def test_what_another_process_uses_stays_until_it_is_killed(store, fill, hold):
    fill("a", "b")
    process = hold("b")
    assert [one.in_use for one in store.entries()] == [True, False]
    store.prune(0)
    assert cuts(store) == ["b"]
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not store.entries()[0].in_use
    store.prune(0)
    assert cuts(store) == []


def test_folders_without_a_description_go_first(store, fill, hold):
    fill("a", "b")
    (store.folder / key(cut="a").digest / "entry.json").unlink()
    (store.folder / "empty").mkdir()
    (store.folder / f"{locks.EVICTED}1").mkdir()
    hold("opened, not filled")
    assert store.make_room(1)
    assert cuts(store) == ["b"]
    assert names(store) == {key(cut="b").digest, key(cut="opened, not filled").digest}


def test_opening_while_others_evict(store, folder):
    """No one ever finds a folder that is about to go, or half of one."""
    readers = [start(OPEN_AND_READ, folder) for _ in range(2)]
    evicted = 0
    while any(reader.poll() is None for reader in readers):
        evicted += len(store.prune(0))
    assert [reader.returncode for reader in readers] == [0, 0]
    assert evicted > 0
    for reader in readers:
        reader.communicate()
    store.prune(0)
    assert names(store) == set()


def test_a_store_in_a_place_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    store = ActivationStore(tmp_path / "file" / "activations", 10**9)
    with pytest.raises(HomeError, match="tlsearch store --limit 5"):
        store.open(key())


@pytest.mark.parametrize("refused", [1, 2, 3])
def test_a_disk_that_refuses_to_write(store, monkeypatch, refused):
    """The rows, what tells of them, or the folder."""
    calls = []

    def fsync(number):
        calls.append(number)
        if len(calls) >= refused:
            raise OSError(errno.ENOSPC, "No space left on device")

    photos = contents(8)
    with store.open(key()) as entry:
        entry.fill(photos[:4], SHAPE, expected)
        monkeypatch.setattr(os, "fsync", fsync)
        with pytest.raises(HomeError, match="No space left") as error:
            entry.fill(photos, SHAPE, expected)
        assert str(entry.folder) in str(error.value)
        with pytest.raises(HomeError, match="No space left"):
            entry.note({"a": 1})
        monkeypatch.undo()
        left = [file.suffix for file in entry.folder.iterdir() if file.suffix != ".lock"]
        assert sorted(left) == [".json", ".json", ".rows"]
        assert entry.missing(photos) == photos[4:]
        received = entry.rows(photos[:4]).read()
        assert np.array_equal(received, expected(photos[:4]).astype(np.float16))
