"""Full disks: how they are told from other errors, said in words, and kept from happening."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tlsearch.amounts import size
from tlsearch.causes import with_causes
from tlsearch.errors import DiskError, HomeError, SetupError, TlsearchError, UsageError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_LOCKED = (errno.EROFS, errno.EACCES, errno.EPERM)
_FULL_WORDS = ("no space left on device", "database or disk is full", "disk quota exceeded")
_LOCKED_WORDS = ("read-only file system", "attempt to write a readonly database")


def is_disk_full(error: BaseException) -> bool:
    """Whether an error, or what it came of, says that a disk or a quota is full.

    Libraries hide the system's error: SQLite says it in words, and so do TensorFlow and HDF5.
    """
    return any(_says(one, _FULL, _FULL_WORDS) for one in with_causes(error))


def is_disk_locked(error: BaseException) -> bool:
    """Whether an error, or what it came of, says that the disk may not be written to."""
    return any(_says(one, _LOCKED, _LOCKED_WORDS) for one in with_causes(error))


def _says(error: BaseException, codes: Collection[int], words: Iterable[str]) -> bool:
    if isinstance(error, OSError) and error.errno in codes:
        return True
    # Our own errors quote what they came of, and that is looked at itself.
    text = "" if isinstance(error, TlsearchError) else str(error).lower()
    return any(word in text for word in words)


@contextmanager
def explain_disk(home: Path) -> Iterator[None]:
    """Turn an error of the block that comes of a full or read-only disk into a DiskError.

    A HomeError stays what it is: it says already which part of the home is meant. So do other
    errors of ours that come of a place outside of it, such as photos that this user may not read.
    """
    try:
        yield
    except HomeError:
        raise
    except Exception as error:
        if is_disk_full(error):
            raise full_disk(home, _root(error)) from error
        locked = _locked(home, error)
        if locked is None:
            raise
        raise locked from error


def _root(error: BaseException) -> BaseException:
    """The error that says itself what is wrong."""
    *_, last = (one for one in with_causes(error))
    return last


def full_disk(home: Path, reason: object) -> DiskError:
    """The error that says that the disk of `home` is full, whoever noticed."""
    return disk_is_full(f"{_first_line(reason)} ({home} has {size(_free(home))} left)")


def disk_is_full(received: str) -> DiskError:
    """The error that says that a disk is full, in which way that was noticed."""
    return DiskError(
        "the disk is full; all that was finished is kept",
        received=received,
        expected="room for the rest",
        hint="free some space, then run the same command again: it continues",
    )


def _locked(home: Path, error: BaseException) -> SetupError | None:
    """The error that says what may not be written to: the home, or a place outside of it; None
    where that is not what is wrong, or `error` says it better."""
    causes = [one for one in with_causes(error) if _says(one, _LOCKED, _LOCKED_WORDS)]
    if not causes or isinstance(error, UsageError):
        return None
    names, is_ours = _names(causes[-1]), isinstance(error, TlsearchError)
    if any(_is_below(home, name) for name in names) or not (names or is_ours):
        return _locked_home(home, causes[-1])
    return None if is_ours else _locked_outside(causes[-1])


def _locked_outside(error: BaseException) -> SetupError:
    return SetupError(
        "a file or folder outside TLSEARCH_HOME may not be used",
        received=_first_line(error),
        expected="one that this user may read and write",
        hint="give this user the right to it, or name another one",
    )


def _names(error: BaseException) -> list[str]:
    """The files that an error of the system names, if any."""
    given = (getattr(error, "filename", None), getattr(error, "filename2", None))
    return [os.fsdecode(name) for name in given if isinstance(name, str | bytes | os.PathLike)]


def _is_below(home: Path, name: str) -> bool:
    return Path(name).resolve().is_relative_to(home.resolve())


def _locked_home(home: Path, error: BaseException) -> DiskError:
    return DiskError(
        "TLSEARCH_HOME cannot be written to",
        received=f"{_first_line(error)} (TLSEARCH_HOME is {home})",
        expected="a folder that this user may write to, with all that is in it",
        hint="make it writable and run the same command again, or choose another one: "
        "TLSEARCH_HOME=/path/to/folder tlsearch ...",
    )


def _first_line(reason: object) -> str:
    lines = str(reason).splitlines() or [type(reason).__name__]
    return lines[0][:300]


@dataclass(frozen=True)
class Floor:
    """The free space below which nothing new is begun.

    Args:
        folders: on whose file systems it is looked for; those that are not there are passed over.
        gigabytes: of 10^9 bytes; 0 is no floor.
    """

    folders: tuple[Path, ...]
    gigabytes: float

    def lacking(self) -> DiskError | None:
        """What to say where a file system has less; None where all have enough."""
        for folder in self._places():
            free = _free(folder)
            if free < self.gigabytes * 10**9:
                return self._error(folder, free)
        return None

    def _places(self) -> list[Path]:
        """One folder of each file system."""
        there = [folder for folder in self.folders if folder.is_dir()]
        return list({folder.stat().st_dev: folder for folder in reversed(there)}.values())

    def _error(self, folder: Path, free: int) -> DiskError:
        return DiskError(
            "too little disk space to begin another trial; all that was finished is kept",
            received=f"{size(free)} free at {folder}",
            expected=f"at least {self.gigabytes:g} GB (execution.min_free_gb)",
            hint="free some space, then run the same command again: it continues; "
            "or lower the floor: execution.min_free_gb=0.1",
        )


def _free(folder: Path) -> int:
    """Bytes that this user may still write there; 0 where that cannot be found out."""
    there = next((one for one in (folder, *folder.parents) if one.is_dir()), Path())
    try:
        return shutil.disk_usage(there).free
    except OSError:
        return 0
