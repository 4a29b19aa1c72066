"""Folders that are there with all they hold, or not at all, however many processes want them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path


def make_whole(folder: Path, fill: Callable[[Path], None]) -> None:
    """Make a folder unless it is there: `fill` a folder beside it, then rename that one.

    If `fill` raises, nothing is left. What a killed process left is removed by the next one.

    Args:
        folder: what is wanted.
        fill: called with an empty folder to write to, in one process at a time.
    """
    from filelock import FileLock

    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f".{folder.name}.partial")
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
