"""What a process and those it started hold in memory, read from /proc."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_KIB = 1024
INTERVAL = 0.5
"""Seconds between two readings."""


@dataclass(frozen=True)
class Memory:
    """Bytes. The first three are sums over all processes of proportional set sizes, in which a
    page that several processes share is divided among them."""

    total: int
    anonymous: int
    file_backed: int
    largest_rss: int
    """Resident size of the largest process."""

    def peak(self, other: Memory) -> Memory:
        """The larger of each figure."""
        return Memory(
            max(self.total, other.total),
            max(self.anonymous, other.anonymous),
            max(self.file_backed, other.file_backed),
            max(self.largest_rss, other.largest_rss),
        )


NOTHING = Memory(0, 0, 0, 0)


def read(root: int) -> Memory:
    """The memory of a process and all that descend from it, now."""
    rollups = [rollup for pid in family(root) if (rollup := _rollup(pid))]
    file_backed = sum(one.get("Pss_File", 0) + one.get("Pss_Shmem", 0) for one in rollups)
    return Memory(
        total=sum(one.get("Pss", 0) for one in rollups),
        anonymous=sum(one.get("Pss_Anon", 0) for one in rollups),
        file_backed=file_backed,
        largest_rss=max((one.get("Rss", 0) for one in rollups), default=0),
    )


def family(root: int) -> list[int]:
    """The process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for stat in _PROC.glob("[0-9]*/stat"):
        parent = _parent(stat)
        if parent is not None:
            children.setdefault(parent, []).append(int(stat.parent.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def _parent(stat: Path) -> int | None:
    try:
        # The name of the process, in brackets, may hold anything.
        return int(stat.read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def _rollup(pid: int) -> dict[str, int]:
    """Name to bytes; nothing of a process that has just ended."""
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return {}
    pairs = (line.split()[:2] for line in lines)
    return {name.rstrip(":"): int(kib) * _KIB for name, kib in pairs}


class Sampler(threading.Thread):
    """Reads the memory of a process and its descendants until it is stopped.

    A peak between two readings is missed.
    """

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self._root = root
        self._done = threading.Event()
        self.peak = NOTHING
        self.readings = 0

    def run(self) -> None:
        while not self._done.wait(INTERVAL):
            self.peak = self.peak.peak(read(self._root))
            self.readings += 1

    def stop(self) -> Memory:
        """End the readings; the peak of each figure."""
        self._done.set()
        self.join()
        return self.peak
