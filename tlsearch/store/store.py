"""The activation store: a folder of entries, and a limit to what they take."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tlsearch.progress import track
from tlsearch.store import locks
from tlsearch.store.entry import Entry, Memory, read_about, read_facts
from tlsearch.store.files import explain_failure
from tlsearch.store.key import ActivationKey
from tlsearch.store.shard import drop, list_shards, read_shard


@dataclass(frozen=True)
class EntrySummary:
    """What an entry holds. bytes_: on disk; last_used: seconds since 1970; shape: of one row."""

    key: ActivationKey
    photos: int
    bytes_: int
    last_used: float
    in_use: bool
    shape: tuple[int, ...]
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Verification:
    """What was found. intact: shards; bytes_: theirs; damaged: shards, which were removed."""

    intact: int
    bytes_: int
    damaged: int


class ActivationStore:
    """Entries by key. Any number of processes may use the same folder; one object for each.

    Args:
        folder: of this store alone; it is made when an entry is opened.
        limit: bytes that `make_room` keeps to.
        reserve: bytes of the disk that it leaves free.
    """

    def __init__(self, folder: Path, limit: int, reserve: int = 0) -> None:
        self.folder = folder
        self.limit = limit
        self._reserve = reserve
        self._memory = Memory()

    def open(self, key: ActivationKey) -> Entry:
        """The entry of this key, new or old. Close it, or use it as a context manager.

        Raises:
            HomeError: its folder cannot be made or written to.
        """
        folder = self.folder / key.digest
        with explain_failure(self.folder):
            lease = locks.lease(folder)
            lease.touch()
        return Entry(folder, key, lease, self._memory)

    def holds(self, key: ActivationKey) -> bool:
        """Whether there is an entry of this key, with rows of whichever photos. Changes nothing."""
        return read_about(self.folder / key.digest) is not None

    def make_room(self, bytes_: int) -> bool:
        """Evict what nobody uses, least recently used first, until so many bytes more fit.

        They have to fit under the limit and on the disk. Nothing is evicted if that would not
        be enough. It reserves nothing: two processes that ask at once may be told the same.
        Open the entry that is to grow before, or it may be among those that go.

        Returns:
            Whether they fit.

        Raises:
            HomeError: the folder may not be written to.
        """
        with explain_failure(self.folder):
            self._clean()
            excess = self._excess(bytes_)
            idle = [folder for folder in self._oldest_first() if not locks.is_used(folder)]
            if excess > sum(map(_size, idle)):
                return False
            _evict(idle, excess)
            return self._excess(bytes_) <= 0

    def room(self) -> int:
        """How many bytes `make_room` could make at most. Changes nothing.

        Raises:
            HomeError: the folder may not be read.
        """
        with explain_failure(self.folder):
            sizes = [(_size(folder), locks.is_used(folder)) for folder in self._folders()]
            idle = sum(size for size, is_used in sizes if not is_used)
            used = sum(size for size, is_used in sizes if is_used)
            return max(0, min(self.limit - used, self.free_on_disk() - self._reserve + idle))

    def free_on_disk(self) -> int:
        """Bytes, on the disk that the folder lies on or will lie on."""
        there = next(one for one in (self.folder, *self.folder.parents) if one.is_dir())
        return shutil.disk_usage(there).free

    def prune(self, limit: int) -> list[EntrySummary]:
        """Evict what nobody uses, least recently used first, until at most `limit` bytes are left.

        Returns:
            What was evicted. More than `limit` may be left where the rest is in use.

        Raises:
            HomeError: the folder may not be written to.
        """
        summaries = {one.key.digest: one for one in self.entries()}
        with explain_failure(self.folder):
            self._clean()
            evicted = _evict(self._oldest_first(), self._held() - limit)
        return [summaries[folder.name] for folder in evicted if folder.name in summaries]

    def entries(self) -> list[EntrySummary]:
        """What is stored, the last used first. Changes nothing.

        Raises:
            HomeError: the folder may not be read.
        """
        with explain_failure(self.folder):
            found = [summary for folder in self._folders() if (summary := _summary(folder))]
        return sorted(found, key=lambda one: one.last_used, reverse=True)

    def verify(self) -> Verification:
        """Read everything, compare all checksums and remove what is damaged.

        Raises:
            HomeError: the folder may not be written to.
        """
        with explain_failure(self.folder):
            checked = [_verify(one) for one in track(self._folders(), "checking activations")]
            self._clean()
        return Verification(
            sum(one.intact for one in checked),
            sum(one.bytes_ for one in checked),
            sum(one.damaged for one in checked),
        )

    def _folders(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return [one for one in self.folder.iterdir() if one.is_dir() and one.name[0] != "."]

    def _oldest_first(self) -> list[Path]:
        return sorted(self._folders(), key=locks.last_used)

    def _held(self) -> int:
        return sum(map(_size, self._folders()))

    def _excess(self, bytes_: int) -> int:
        """How much there is too much of, if so many bytes are added."""
        free = self.free_on_disk() - self._reserve
        return max(self._held() + bytes_ - self.limit, bytes_ - free)

    def _clean(self) -> None:
        """Remove what a killed process had begun to evict, and folders that nothing describes."""
        for folder in self.folder.glob(f"{locks.EVICTED}*"):
            shutil.rmtree(folder, ignore_errors=True)
        for folder in self._folders():
            if read_about(folder) is None:
                locks.remove_unused(folder)


def _evict(folders: Iterable[Path], excess: int) -> list[Path]:
    """Remove folders that nobody uses, in this order, until so many bytes are free; which."""
    evicted = []
    for folder in folders:
        if excess <= 0:
            break
        size = _size(folder)
        if locks.remove_unused(folder):
            evicted.append(folder)
            excess -= size
    return evicted


def _size(folder: Path) -> int:
    """Bytes of its files, as far as they stay while this looks."""
    sizes = 0
    for file in folder.glob("*"):
        with suppress(FileNotFoundError):
            sizes += file.stat().st_size
    return sizes


def _summary(folder: Path) -> EntrySummary | None:
    about = read_about(folder)
    if about is None:
        return None
    shards = filter(None, map(read_shard, list_shards(folder)))
    return EntrySummary(
        about.key,
        sum(len(shard.contents) for shard in shards),
        _size(folder),
        locks.last_used(folder),
        locks.is_used(folder),
        about.shape,
        read_facts(folder),
    )


def _verify(folder: Path) -> Verification:
    """Check one entry while it is kept from being evicted."""
    lease = locks.lease_existing(folder)
    if lease is None:
        return Verification(0, 0, 0)
    try:
        is_described = read_about(folder) is not None
        intact, bytes_, damaged = 0, 0, 0
        for about in list(list_shards(folder)):
            shard = read_shard(about)
            if is_described and shard is not None and shard.is_intact():
                intact, bytes_ = intact + 1, bytes_ + shard.bytes_
            else:
                drop(about)
                damaged += 1
        return Verification(intact, bytes_, damaged)
    finally:
        lease.close()
