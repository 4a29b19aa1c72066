"""Who is here: each process holds a lock on a file of its own for as long as it lives.

The lock is the kernel's and dies with its process, however that ends; a process that is stopped
(SIGSTOP) still holds it. POSIX only.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_SUFFIX = ".alive"


class Presence:
    """Says that somebody is here, from its making until `leave`."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / f"{name}{_SUFFIX}"
        self._opened: int | None = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o666)
        fcntl.flock(self._opened, fcntl.LOCK_EX)

    def leave(self) -> None:
        """Be gone. Doing so twice changes nothing."""
        if self._opened is None:
            return
        self._file.unlink(missing_ok=True)
        os.close(self._opened)
        self._opened = None


def is_present(folder: Path, name: str) -> bool:
    """Whether the one of that name is here now."""
    return _is_held(folder / f"{name}{_SUFFIX}")


def everybody(folder: Path) -> Iterator[str]:
    """The names of those who are here; what the dead have left behind is removed."""
    for file in sorted(folder.glob(f"*{_SUFFIX}")):
        if _is_held(file):
            yield file.name.removesuffix(_SUFFIX)
        else:
            file.unlink(missing_ok=True)


def _is_held(file: Path) -> bool:
    """Asked by a shared lock: those who ask at the same time do not take each other for it."""
    opened = None
    with suppress(FileNotFoundError):
        opened = os.open(file, os.O_RDWR)
    if opened is None:
        return False
    try:
        fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(opened)
