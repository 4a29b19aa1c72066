"""One process at a time: two that did the same work would overwrite each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tlsearch.errors import SetupError


@contextmanager
def alone(lock: Path, what: str) -> Iterator[None]:
    """Hold the lock file while the block runs; a process that dies lets go of it.

    Args:
        what: names the work in the message, such as "this sweep".

    Raises:
        SetupError: another process holds it.
    """
    import filelock

    lock.parent.mkdir(parents=True, exist_ok=True)
    held = filelock.FileLock(lock, timeout=0)
    try:
        held.acquire()
    except filelock.Timeout:
        raise SetupError(
            f"{what} is running already",
            received=f"its lock {lock} is held by another process",
            expected="one process at a time",
            hint="wait for it, stop it with Ctrl-C, or give this one another name: name=...",
        ) from None
    try:
        yield
    finally:
        held.release()
