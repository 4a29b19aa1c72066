"""The activation store under fire: killed writers, two at once, a full disk."""

from __future__ import annotations

import signal
import subprocess
import time

import numpy as np
import pytest
from tiny_activations import SHAPE, contents, expected, key, shards, start

from tlsearch.errors import HomeError
from tlsearch.store.store import ActivationStore

PHOTOS = contents(160)
FIRST = contents(8)

FILL = """
import sys
from pathlib import Path
from tiny_activations import ROW_BYTES, SHAPE, contents, expected, key
from tlsearch.errors import HomeError
from tlsearch.store import entry as entries
from tlsearch.store.store import ActivationStore

def compute(photos):
    with open(sys.argv[2], "a") as calls:
        calls.write("".join(f"{photo}\\n" for photo in photos))
    return expected(photos)

entries.SHARD_BYTES = 4 * ROW_BYTES
first, last = int(sys.argv[3]), int(sys.argv[4])
with ActivationStore(Path(sys.argv[1]), 10**9).open(key()) as entry:
    print("open", flush=True)
    sys.stdin.readline()
    try:
        entry.fill(contents(last - first, first), SHAPE, compute)
    except HomeError as error:
        sys.exit(error.exit_code)
"""
"""Waits for a line on stdin, then fills the photos from one number to another."""

DIE = """
import os, signal, sys
from pathlib import Path

death, calls = int(sys.argv.pop()), 0

def watch(function):
    def watched(*arguments, **named):
        global calls
        calls += 1
        if calls == death:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **named)
    return watched

os.fsync, Path.open, Path.replace = watch(os.fsync), watch(Path.open), watch(Path.replace)
"""
"""The process is gone before its N-th file is opened for writing, made durable or renamed."""

LIMIT = """
import resource, sys

limit = int(sys.argv.pop())
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
"""


@pytest.fixture
def folder(tmp_path):
    """Of a store that holds some photos already, in a shard of their own."""
    with ActivationStore(tmp_path / "activations", 10**9).open(key()) as entry:
        entry.fill(FIRST, SHAPE, expected)
    return tmp_path / "activations"


@pytest.fixture
def fill(tmp_path, folder):
    """Starts to fill in another process."""
    started = []

    def start_one(first=0, last=160, before="", folder=folder, **extra):
        arguments = [folder, tmp_path / "calls", first, last, *extra.values()]
        process = start(before + FILL, *arguments)
        started.append(process)
        assert process.stdout.readline() == "open\n"
        return process

    yield start_one
    for process in started:
        process.kill()
        process.communicate()


def go(process):
    process.stdin.write("go\n")
    process.stdin.flush()


def assert_sound(entry, photos):
    """What is there is right, and what was stored before is there."""
    missing = set(entry.missing(photos))
    assert not missing & set(FIRST)
    there = [photo for photo in photos if photo not in missing]
    assert np.array_equal(entry.rows(there).read(), half(there))


def assert_completes(folder, photos=PHOTOS):
    """It is sound, the rest can be filled, and then nothing is left of what was killed."""
    with ActivationStore(folder, 10**9).open(key()) as entry:
        assert_sound(entry, photos)
        one_more = contents(len(photos) + 1)
        entry.fill(one_more, SHAPE, expected)
        assert np.array_equal(entry.rows(one_more).read(), half(one_more))
        assert len(list(entry.folder.glob("shard-*"))) == 2 * len(shards(entry.folder))


def half(photos):
    return expected(photos).astype(np.float16)


@pytest.mark.parametrize("death", range(1, 15))
def test_kill_at_each_step_of_writing(folder, fill, death):
    """Two shards: each is two files that are opened, made durable and renamed, and the folder."""
    process = fill(last=16, before=DIE, death=death)
    go(process)
    assert process.wait() == -signal.SIGKILL
    assert_completes(folder)


@pytest.mark.parametrize("death", range(1, 7))
def test_kill_at_the_first_steps_of_an_entry(tmp_path, fill, death):
    """The file that describes it, then its first rows."""
    folder = tmp_path / "new"
    process = fill(last=16, before=DIE, folder=folder, death=death)
    go(process)
    assert process.wait() == -signal.SIGKILL
    with ActivationStore(folder, 10**9).open(key()) as entry:
        assert entry.missing(PHOTOS) == PHOTOS
        entry.fill(PHOTOS, SHAPE, expected)
        assert np.array_equal(entry.rows(PHOTOS).read(), half(PHOTOS))
        assert len(list(entry.folder.glob("*.partial"))) == 0


def test_kill_at_any_moment(folder, fill):
    """Each process goes on with what the one before it left, and has as much to add."""
    for number, seconds in enumerate(np.random.default_rng(4).uniform(0, 0.15, 5), start=1):
        process = fill(last=160 * number)
        go(process)
        time.sleep(seconds)
        process.kill()
        process.wait()
        with ActivationStore(folder, 10**9).open(key()) as entry:
            assert_sound(entry, contents(160 * number))
    assert_completes(folder, contents(160 * number))


def test_two_at_once_compute_each_photo_once(tmp_path, folder, fill):
    processes = [fill(0, 100), fill(50, 160)]
    for process in processes:
        go(process)
    assert [process.wait() for process in processes] == [0, 0]
    calls = (tmp_path / "calls").read_text().splitlines()
    assert sorted(calls) == sorted(set(PHOTOS) - set(FIRST))
    assert_completes(folder)


def test_one_waits_for_another_that_is_killed(tmp_path, folder, fill):
    processes = [fill(), fill()]
    for process in processes:
        go(process)
    processes[0].kill()
    assert processes[1].wait() == 0
    assert_completes(folder)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 1 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    mounted = subprocess.run(command, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk(small_disk):
    def compute(photos):
        return np.repeat(expected(photos)[:, None], 32, axis=1)

    photos, shape = contents(2_000), (32, *SHAPE)
    store = ActivationStore(small_disk / "activations", 10**9)
    assert not store.make_room(2_000 * 32 * 144)
    with store.open(key()) as entry:
        entry.fill(photos[:100], shape, compute)
        with pytest.raises(HomeError, match="No space left on device") as refused:
            entry.fill(photos, shape, compute)
        assert str(entry.folder) in str(refused.value)
        assert "tlsearch store --limit 5" in str(refused.value)
        missing = entry.missing(photos)
        assert photos[:100] == [photo for photo in photos if photo not in missing]
        right = compute(photos[:100]).astype(np.float16)
        assert np.array_equal(entry.rows(photos[:100]).read(), right)
        files = {file.suffix for file in entry.folder.glob("shard-*")}
        assert files == {".json", ".rows"}
        assert len(list(entry.folder.glob("shard-*"))) == 2


def test_a_file_that_may_not_grow(folder, fill):
    """Where no small disk can be mounted, a limit to the size of files refuses as well."""
    process = fill(before=LIMIT, limit=500)
    go(process)
    assert process.wait() == HomeError.exit_code
    assert_completes(folder)
