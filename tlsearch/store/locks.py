"""Who uses an entry and who writes it: locks of the kernel, which die with their process.

Everybody who has an entry open shares the lock of its lease; who wants to remove it needs that
lock alone, and never waits for it. POSIX only.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

EVICTED = ".evicted-"
_LEASE = "lease.lock"


class Lease:
    """A share in the use of an entry: while it is held, no process removes the folder."""

    def __init__(self, opened: int) -> None:
        self._opened: int | None = opened

    def touch(self) -> None:
        """Say that the entry is being used now."""
        if self._opened is not None:
            now = time.time_ns()
            os.utime(self._opened, ns=(now, now))

    def close(self) -> None:
        if self._opened is not None:
            os.close(self._opened)
            self._opened = None


def lease(folder: Path) -> Lease:
    """Take a share in the entry, whose folder is made if need be."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    while True:
        # Not `exist_ok`: that looks again, and fails if the folder has just been evicted.
        with suppress(FileExistsError):
            folder.mkdir()
        if taken := lease_existing(folder):
            return taken


def lease_existing(folder: Path) -> Lease | None:
    """The same, or None if the folder is not there or was removed meanwhile."""
    try:
        opened = os.open(folder / _LEASE, os.O_RDWR | os.O_CREAT, 0o666)
    except FileNotFoundError:
        return None
    fcntl.flock(opened, fcntl.LOCK_SH)
    if _is_still(opened, folder / _LEASE):
        return Lease(opened)
    os.close(opened)
    return None


def last_used(folder: Path) -> float:
    """When the entry was opened or closed last, in seconds since 1970; 0.0 if never."""
    try:
        return (folder / _LEASE).stat().st_mtime_ns / 1e9
    except OSError:
        return 0.0


def is_used(folder: Path) -> bool:
    """Whether any process holds a lease, or that cannot be told."""
    try:
        opened = _alone(folder / _LEASE, os.O_RDWR)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return _let_go(opened)


def remove_unused(folder: Path) -> bool:
    """Remove an entry that nobody uses; False if somebody does, or it is gone already.

    The folder gets another name first, at one stroke: who opens the entry at the same time
    either is seen here, or finds no folder and makes a new one.
    """
    gone = folder.with_name(f"{EVICTED}{uuid.uuid4().hex}")
    try:
        opened = _alone(folder / _LEASE, os.O_RDWR | os.O_CREAT)
    except FileNotFoundError:
        return False
    try:
        if opened is not None:
            folder.replace(gone)
    finally:
        is_refused = _let_go(opened)
    shutil.rmtree(gone, ignore_errors=True)
    return not is_refused


def _alone(file: Path, flags: int) -> int | None:
    """Take the lock alone, without waiting: the open file, or None if somebody shares it."""
    opened = os.open(file, flags, 0o666)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_still(opened, file):
            return opened
    except BlockingIOError:
        pass
    os.close(opened)
    return None


def _let_go(opened: int | None) -> bool:
    """Let go of what `_alone` took; whether it took nothing."""
    if opened is not None:
        os.close(opened)
    return opened is None


def _is_still(opened: int, file: Path) -> bool:
    """Whether the file of that name is the one that was opened, and not a later one."""
    try:
        return os.path.samestat(os.fstat(opened), file.stat())
    except FileNotFoundError:
        return False


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """Hold the lock file while the block runs; others wait. The file stays."""
    opened = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)
