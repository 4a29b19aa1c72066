"""Reading rows out of shards, wherever they lie, without keeping what was read in memory.

Rows are read with `pread` and not from a memory map. From the page cache a random batch of 64 rows
of 8, 50 and 200 KB took 0.13, 0.50 and 1.7 ms, from a map that gives its pages back every 64 MB
0.06, 0.42 and 1.7 ms: as fast for what is large, while the process grows by nothing, and a file
that was cut short is an error and not a SIGBUS.
"""

from __future__ import annotations

import math
import os
import resource
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from tlsearch.errors import HomeError
from tlsearch.store.shard import Shard


class _OpenFile:
    """A file that is closed when nobody has it any more: a reader may still be in it."""

    def __init__(self, path: Path) -> None:
        self.number = -1
        self.number = os.open(path, os.O_RDONLY)

    def __del__(self) -> None:
        if self.number >= 0:
            os.close(self.number)


class OpenFiles:
    """The files that were read last, a quarter of what the process may open. For any thread."""

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit or max(8, min(256, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4))
        self._files: OrderedDict[Path, _OpenFile] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, path: Path) -> _OpenFile:
        with self._lock:
            if path not in self._files:
                self._files[path] = _OpenFile(path)
            self._files.move_to_end(path)
            if len(self._files) > self._limit:
                self._files.popitem(last=False)
            return self._files[path]

    def close(self, folder: Path) -> None:
        """Let go of the files in this folder, so that the disk gets their room when it goes."""
        with self._lock:
            for path in [path for path in self._files if path.parent == folder]:
                del self._files[path]


class Rows:
    """The rows of some photos in a given order. Good while their entry is open.

    shape: [photos, *shape of a row].
    """

    def __init__(
        self,
        places: Sequence[tuple[Shard, int]],
        shape: tuple[int, ...],
        dtype: np.dtype,
        files: OpenFiles,
    ) -> None:
        self.shape = (len(places), *shape)
        self.dtype = dtype
        self._files = files
        self._shards = list(dict.fromkeys(shard for shard, _ in places))
        numbers = {shard: number for number, shard in enumerate(self._shards)}
        self._shard = np.array([numbers[shard] for shard, _ in places], np.int32)
        self._row = np.array([row for _, row in places], np.int64)

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def nbytes(self) -> int:
        return len(self) * self._row_bytes

    @property
    def _row_bytes(self) -> int:
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    def take(self, positions: np.ndarray) -> np.ndarray:
        """The rows at these positions: [len(positions), *row shape]. Reads nothing else.

        Raises:
            IndexError: a position is beyond the last row.
            HomeError: a file was removed or cut short since it was checked.
        """
        taken = np.empty((len(positions), *self.shape[1:]), self.dtype)
        shard, row = self._shard[positions], self._row[positions]
        into, size = taken.reshape(-1).view(np.uint8).data, self._row_bytes
        for start, stop in _runs(shard, row):
            piece = into[start * size : stop * size]
            self._read(self._shards[shard[start]], int(row[start]) * size, piece)
        return taken

    def read(self) -> np.ndarray:
        """All rows: for what is small, such as pooled features."""
        return self.take(np.arange(len(self)))

    def _read(self, shard: Shard, offset: int, into: memoryview) -> None:
        try:
            opened = self._files.get(shard.rows)
            while into:
                count = os.preadv(opened.number, [into], offset)
                if not count:
                    raise OSError("it ends too early")
                offset, into = offset + count, into[count:]
        except OSError as error:
            raise _lost(shard.rows, error.strerror or str(error)) from error


def _runs(shard: np.ndarray, row: np.ndarray) -> Iterator[tuple[int, int]]:
    """From where to where the rows follow each other on disk, too, so that one read gets them."""
    if not len(row):
        return
    breaks = np.flatnonzero((np.diff(shard) != 0) | (np.diff(row) != 1)) + 1
    yield from pairwise([0, *breaks.tolist(), len(row)])


def _lost(file: Path, reason: str) -> HomeError:
    return HomeError(
        "stored activations vanished while they were in use",
        received=f"{file} ({reason})",
        expected="files that nothing but tlsearch removes or changes",
        hint="run the same command again: what is missing will be computed anew",
    )
