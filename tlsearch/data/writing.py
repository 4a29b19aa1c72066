"""Writing under TLSEARCH_HOME: folders that are there whole or not at all, and full disks."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tlsearch.errors import HomeError


def make_whole(folder: Path, fill: Callable[[Path], None]) -> None:
    """Make a folder unless it is there: `fill` a folder beside it, then rename that one.

    If `fill` raises, nothing is left. What a killed process left is removed by the next one.

    Args:
        folder: what is wanted.
        fill: called with an empty folder to write to, in one process at a time.

    Raises:
        HomeError: the disk is full, or may not be written to.
    """
    from filelock import FileLock

    partial = folder.with_name(f".{folder.name}.partial")
    with explain_failure(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f".{folder.name}.lock")):
            if folder.is_dir():
                return
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            try:
                fill(partial)
                partial.replace(folder)
            finally:
                shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def explain_failure(place: Path) -> Iterator[None]:
    """Turn an OSError of the block, which writes to `place`, into a HomeError."""
    try:
        yield
    except OSError as error:
        raise HomeError(
            f"the photos cannot be stored under {place}",
            received=str(error),
            expected="room on the disk, and the right to write",
            hint="free some space, or choose another place: TLSEARCH_HOME=/path/to/folder",
        ) from error
