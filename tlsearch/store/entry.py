"""One entry of the store: the rows of one prefix, cut and view, addressed by photo.

The folder holds `entry.json` (the key and a row's shape), `facts.json`, the shards, and two lock
files: the lease that keeps the entry from being removed, and the lock of who writes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tlsearch.errors import NoResultError
from tlsearch.store import shard as shards
from tlsearch.store.files import explain_failure, read_sealed, write_sealed
from tlsearch.store.index import Index
from tlsearch.store.key import ActivationKey
from tlsearch.store.locks import Lease, writing
from tlsearch.store.rows import OpenFiles, Rows

SHARD_BYTES = 32 * 2**20
SHARD_PHOTOS = 512

Compute = Callable[[Sequence[str]], np.ndarray]
"""From the contents of one shard's photos to their rows, [len(contents), *shape]."""


@dataclass(frozen=True)
class About:
    """What entry.json says. shape: of one row."""

    key: ActivationKey
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Memory:
    """What a process remembers of all its entries: open files, and names of intact shards."""

    files: OpenFiles = field(default_factory=OpenFiles)
    intact: set[str] = field(default_factory=set)


class Entry:
    """Rows by photo. It is not evicted until it is closed; several processes may fill it.

    `ActivationStore.open` makes one. A photo is named by its content: SHA-256 of its file, in hex.
    An entry is for one thread, the rows it gives for any.
    """

    def __init__(self, folder: Path, key: ActivationKey, lease: Lease, memory: Memory) -> None:
        self.folder = folder
        self.key = key
        self._lease = lease
        self._memory = memory
        self._dtype = np.dtype(key.dtype)
        self._index = Index(folder, self._dtype, memory.intact)

    def __enter__(self) -> Entry:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the entry: from now on it may be evicted, and its rows are not to be read."""
        self._memory.files.close(self.folder)
        self._lease.touch()
        self._lease.close()

    @property
    def shape(self) -> tuple[int, ...] | None:
        """The shape of one row; None as long as nothing was stored."""
        about = self._about()
        return None if about is None else about.shape

    @property
    def facts(self) -> Mapping[str, Any]:
        """What `note` was given; empty if nothing was."""
        return read_facts(self.folder)

    def note(self, facts: Mapping[str, Any]) -> None:
        """Keep facts (JSON) beside the rows. They are written once: later calls change nothing.

        Raises:
            HomeError: the disk is full, or may not be written to.
        """
        with explain_failure(self.folder), writing(self.folder / "facts.lock"):
            if not self.facts:
                write_sealed(self.folder / "facts.json", dict(facts))

    def missing(self, contents: Sequence[str]) -> list[str]:
        """Which of these photos have no row, each once, in the given order.

        Every shard that holds one of them is checked, once per process; one that is damaged is
        removed, and its photos are missing.

        Raises:
            HomeError: the folder may not be read, or what is damaged not be removed.
        """
        wanted = list(dict.fromkeys(contents))
        with explain_failure(self.folder):
            about = self._about()
            if about is None:
                return wanted
            self._index.look(wanted, about.shape)
        return [content for content in wanted if content not in self._index]

    def fill(self, contents: Sequence[str], shape: tuple[int, ...], compute: Compute) -> None:
        """Compute and store the rows that are missing, shard by shard.

        Processes that want the same take turns, a shard each, so that nobody waits for longer than
        one takes. What was stored before a failure stays. Numbers too large for the dtype become
        its largest.

        Args:
            shape: of one row.
            compute: called with the contents of one shard at a time.

        Raises:
            HomeError: the disk is full, or may not be written to.
            NoResultError: `compute` gave NaN.
            ValueError: `compute` gave another shape, or the entry has rows of another shape.
        """
        for chunk in _chunks(self.missing(contents), self._photos_a_shard(shape)):
            self._fill_a_shard(chunk, shape, compute)

    def _fill_a_shard(
        self, contents: Sequence[str], shape: tuple[int, ...], compute: Compute
    ) -> None:
        """Compute and store what is still missing of these when it may write."""
        with ExitStack() as held:
            with explain_failure(self.folder):
                held.enter_context(writing(self.folder / "write.lock"))
                self._prepare(shape)
            missing = self.missing(contents)
            if not missing:
                return
            rows = self._keepable(compute(missing), (len(missing), *shape))
            with explain_failure(self.folder):
                shard = shards.write_shard(self.folder, missing, rows)
            self._index.add(shard)

    def rows(self, contents: Sequence[str]) -> Rows:
        """The rows of these photos, in this order.

        Raises:
            KeyError: a photo has no row, or none that is intact.
        """
        if missing := self.missing(contents):
            raise KeyError(missing[0])
        places = [self._index.place(content) for content in contents]
        shape = places[0][0].shape if places else self.shape or ()
        return Rows(places, shape, self._dtype, self._memory.files)

    def _about(self) -> About | None:
        about = read_about(self.folder)
        return about if about is not None and about.key == self.key else None

    def _prepare(self, shape: tuple[int, ...]) -> None:
        """Remove what killed writers left, and everything if nothing says what it is."""
        about, there = self._about(), list(shards.list_shards(self.folder))
        if about is None or not there:
            for file in there:
                shards.drop(file)
            told = {"key": asdict(self.key), "shape": list(shape)}
            write_sealed(self.folder / "entry.json", told)
        elif about.shape != shape:
            raise ValueError(f"rows of shape {about.shape} are stored, received {shape}")
        shards.remove_leftovers(self.folder)

    def _photos_a_shard(self, shape: tuple[int, ...]) -> int:
        row_bytes = max(1, math.prod(shape) * self._dtype.itemsize)
        return max(1, min(SHARD_PHOTOS, SHARD_BYTES // row_bytes))

    def _keepable(self, computed: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """The rows in the entry's dtype, within its range."""
        if computed.shape != shape:
            raise ValueError(f"expected rows of shape {shape}, received {computed.shape}")
        if np.isnan(computed).any():
            raise NoResultError(
                "the frozen network made NaN of some photos; nothing of them was stored",
                received=f"{self.key.backbone} up to {self.key.cut} at {self.key.image_size} px",
                expected="numbers",
                hint="check its weights, or search without this backbone",
            )
        rows, range_ = np.empty(shape, self._dtype), np.finfo(self._dtype)
        return np.clip(computed, range_.min, range_.max, out=rows, casting="unsafe")


def read_about(folder: Path) -> About | None:
    """What the entry holds; None if nothing says so any more, or yet."""
    told = read_sealed(folder / "entry.json")
    try:
        return About(ActivationKey(**told["key"]), tuple(told["shape"]))
    except (TypeError, KeyError):
        return None


def read_facts(folder: Path) -> Mapping[str, Any]:
    """What `Entry.note` was given; empty if nothing was, or it is damaged."""
    facts = read_sealed(folder / "facts.json")
    return facts if isinstance(facts, dict) else {}


def _chunks(contents: list[str], length: int) -> Iterator[list[str]]:
    for start in range(0, len(contents), length):
        yield contents[start : start + length]
