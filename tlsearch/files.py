"""Files and folders that are there whole or not at all, whenever the machine stops."""

from __future__ import annotations

import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PARTIAL = ".partial"


def write_whole(file: Path, data: bytes | memoryview) -> None:
    """Write under another name, bring it to the disk, then rename it; a failure leaves nothing.

    One writer at a time for each name. The folder is not brought to the disk.
    """
    partial = file.with_name(file.name + _PARTIAL)
    try:
        with partial.open("wb") as opened:
            opened.write(data)
        keep(partial, file)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def keep(written: Path, path: Path) -> None:
    """Let a file take its name once it is on the disk: Keras and NumPy write in place."""
    sync(written)
    written.replace(path)


def sync(place: Path) -> None:
    """Bring a file's bytes, or the names in a folder, to the disk."""
    opened = os.open(place, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


@contextmanager
def replace_folder(folder: Path) -> Iterator[Path]:
    """A new folder that takes the place of `folder` when the block ends without an error.

    Whoever looks sees the old one, for an instant none, or the new one; never a half. All of the
    new one is on the disk before it takes its name. What a killed process has left of this is
    cleared up by the next one that replaces the same folder.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    _clear_up(folder)
    begin = tempfile.TemporaryDirectory(dir=folder.parent, prefix=_prefix(folder))
    with begin as place, _hold(Path(place)):
        new, old = Path(place, "new"), Path(place, "old")
        new.mkdir()
        yield new
        for path in (*new.rglob("*"), new):
            sync(path)
        _exchange(folder, new, old)
        sync(folder.parent)


def _prefix(folder: Path) -> str:
    return f".{folder.name}.replaced-"


def _clear_up(folder: Path) -> None:
    """Remove what killed replacements have left. A kill between the two renames has left no folder:
    then the old one gets its name back."""
    for place in folder.parent.glob(f"{glob.escape(_prefix(folder))}????????"):
        with suppress(FileNotFoundError), _hold(place) as is_mine:
            if not is_mine:
                continue
            if (place / "old").is_dir() and not folder.exists():
                (place / "old").rename(folder)
            shutil.rmtree(place, ignore_errors=True)


@contextmanager
def _hold(place: Path) -> Iterator[bool]:
    """Say that this process is at work in a folder; False where another one is, or where the file
    system cannot tell. The lock is the kernel's, and dies with its process."""
    opened = os.open(place, os.O_RDONLY)
    try:
        yield _is_locked(opened)
    finally:
        os.close(opened)


def _is_locked(opened: int) -> bool:
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _exchange(folder: Path, new: Path, old: Path) -> None:
    if not folder.exists():
        new.rename(folder)
        return
    folder.rename(old)
    try:
        new.rename(folder)
    except BaseException:
        old.rename(folder)
        raise
