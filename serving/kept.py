"""Fetched bundles on disk, as `SERVER/NAME/VERSION`: they appear there whole or not at all.

Several processes may share the folder.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from tlsearch.errors import BundleError
from tlsearch.export.checksums import CHECKSUMS_FILE, verify_checksums
from tlsearch.files import sync
from tlsearch.paths import Paths

_DOWNLOAD = ".download-"
_STALE_SECONDS = 86_400


def default_folder() -> Path:
    """Where fetched bundles are kept, in TLSEARCH_HOME."""
    return Paths.from_environment().home / "registry"


def find_place(folder: Path, address: str, name: str, version: str) -> Path:
    """Where a version is kept. Version 1 of one server is not that of another."""
    server = address.partition("://")[2]
    return folder / quote(server, safe="") / quote(name, safe="") / version


@contextmanager
def workshop(place: Path) -> Iterator[Path]:
    """An empty folder beside the place, to be filled and `put` there; else it goes again."""
    place.parent.mkdir(parents=True, exist_ok=True)
    _remove_stale(place.parent)
    with tempfile.TemporaryDirectory(prefix=_DOWNLOAD, dir=place.parent) as temporary:
        part = Path(temporary, "bundle")
        part.mkdir()
        yield part


def has_checksums_of(place: Path, part: Path) -> bool:
    """Whether two folders say that they hold the same."""
    with suppress(OSError):
        return (place / CHECKSUMS_FILE).read_bytes() == (part / CHECKSUMS_FILE).read_bytes()
    return False


def is_whole(place: Path) -> bool:
    """Whether an unchanged bundle stands there."""
    with suppress(BundleError):
        verify_checksums(place)
        return True
    return False


def put(part: Path, place: Path) -> None:
    """Rename the whole bundle to its place, where a damaged one may stand, or another process's."""
    sync(part)
    try:
        part.rename(place)
    except OSError:
        if has_checksums_of(place, part) and is_whole(place):
            return
        place.rename(part.parent / "replaced")
        part.rename(place)
    sync(place.parent)


def _remove_stale(folder: Path) -> None:
    """Remove what killed processes left behind."""
    for left in folder.glob(f"{_DOWNLOAD}*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
