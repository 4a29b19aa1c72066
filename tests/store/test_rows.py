"""Reading takes no memory beyond what is asked for, and few open files."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from tiny_activations import SHAPE, contents, expected, key, linux, open_files

from tlsearch.store.rows import OpenFiles, Rows
from tlsearch.store.shard import write_shard
from tlsearch.store.store import ActivationStore


def _resident():
    """Bytes of memory that this process has in use."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@linux
def test_memory_does_not_grow_with_what_was_read(tmp_path):
    photos, shape = contents(1280), (64, 512)
    numbers = np.random.default_rng(0)
    shard = np.ones((512, *shape), np.float16)
    with ActivationStore(tmp_path, 10**9).open(key()) as entry:
        entry.fill(photos, shape, lambda asked: shard[: len(asked)])
        rows = entry.rows(photos)
        rows.take(np.arange(64))
        before = _resident()
        for batch in np.split(numbers.permutation(1280), 20):
            rows.take(batch)
        assert rows.nbytes == 80 * 2**20
        assert _resident() - before < 16 * 2**20


@pytest.fixture
def right():
    """What 40 shards of 2 photos hold."""
    return expected(contents(80)).astype(np.float16)


@pytest.fixture
def make(tmp_path, right):
    """Rows in 40 shards, of which so many may be open."""

    def make_rows(limit):
        photos = contents(80)
        pairs = [slice(start, start + 2) for start in range(0, 80, 2)]
        shards = [write_shard(tmp_path, photos[pair], right[pair]) for pair in pairs]
        places = [(shard, row) for shard in shards for row in range(2)]
        return Rows(places, SHAPE, right.dtype, OpenFiles(limit))

    return make_rows


@linux
def test_only_so_many_files_are_open(make, right, tmp_path):
    rows = make(limit=3)
    assert np.array_equal(rows.read(), right)
    assert np.array_equal(rows.take(np.array([0, 79])), right[[0, 79]])
    assert len(open_files(tmp_path)) == 3


def test_threads_read_while_files_are_closed_under_them(make, right):
    """The number of a closed file may be another file's a moment later."""
    rows = make(limit=1)

    def count_wrong(seed):
        drawn = np.random.default_rng(seed).integers(0, 80, (100, 16))
        return sum(not np.array_equal(rows.take(one), right[one]) for one in drawn)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(count_wrong, range(4))) == [0, 0, 0, 0]
