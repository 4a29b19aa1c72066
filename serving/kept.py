"""Fetched bundles on disk, as `SERVER/NAME/VERSION/bundle`: they appear whole or not at all.

Several processes may share the folder. Of each model the versions stay that some process uses, that
an alias was known to mean, and the `KEPT` that were used last; others go, each as a whole.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from tlsearch.errors import BundleError
from tlsearch.export.checksums import CHECKSUMS_FILE, verify_checksums
from tlsearch.files import sync, write_whole
from tlsearch.paths import Paths
from tlsearch.store.locks import EVICTED, Lease, last_used, lease, remove_unused, writing

KEPT = 3
"""The version at work, the one before it, and one more: what a rollback may want."""

_BUNDLE = "bundle"
_ALIAS = "@"
_LOCK = "aliases.lock"
_DOWNLOAD = ".download-"
_STALE_SECONDS = 86_400
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Kept:
    """A fetched bundle, which no process removes before it is let go of, or this process ends."""

    folder: Path
    lease: Lease

    def let_go(self) -> None:
        """It may be removed."""
        self.lease.close()


@dataclass(frozen=True)
class Meaning:
    """What an alias was last known to mean: a version, and since when that was known."""

    version: str
    known: datetime


class Shelf:
    """Where the versions of one model are kept."""

    def __init__(self, folder: Path, address: str, name: str) -> None:
        """Nothing is made yet.

        Args:
            folder: of all fetched bundles.
            address: of the server. Its version 1 is not that of another.
            name: of the registered model.
        """
        server = address.partition("://")[2]
        self._folder = folder / quote(server, safe="") / quote(name, safe="")

    @contextmanager
    def take(self, version: str) -> Iterator[Kept]:
        """The place of a version, for the block to fill or find filled; then it is this process's.

        If the block fails the place is let go of; if nothing stands there it is removed.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self._remove_remains()
        place = self._folder / version
        kept = Kept(place / _BUNDLE, lease(place))
        try:
            yield kept
        except BaseException:
            kept.let_go()
            raise
        finally:
            if not kept.folder.exists():
                kept.let_go()
                remove_unused(place)
        kept.lease.touch()
        self._remove_old()

    @contextmanager
    def workshop(self) -> Iterator[Path]:
        """An empty folder to be filled and `put` in a place; else it goes again."""
        with tempfile.TemporaryDirectory(prefix=_DOWNLOAD, dir=self._folder) as temporary:
            part = Path(temporary, _BUNDLE)
            part.mkdir()
            yield part

    def remember(self, alias: str, version: str) -> None:
        """Note what an alias means."""
        with writing(self._folder / _LOCK):
            write_whole(self._alias_file(alias), version.encode())

    def recall(self, alias: str) -> Meaning | None:
        """What an alias was last known to mean."""
        file = self._alias_file(alias)
        with suppress(OSError, UnicodeDecodeError):
            version = file.read_text(encoding="ascii")
            if version.isdigit():
                return Meaning(version, datetime.fromtimestamp(file.stat().st_mtime, UTC))
        return None

    def _alias_file(self, alias: str) -> Path:
        return self._folder / f"{_ALIAS}{quote(alias, safe='')}"

    def _remove_old(self) -> None:
        found = [place for place in self._folder.iterdir() if place.name.isdigit()]
        for place in sorted(found, key=last_used, reverse=True)[KEPT:]:
            if place.name not in self._meant():
                with suppress(OSError):
                    if remove_unused(place):
                        log.info("%s is removed: newer versions are kept", place)

    def _meant(self) -> Iterator[str]:
        """The versions that aliases mean."""
        for file in self._folder.glob(f"{_ALIAS}*"):
            with suppress(OSError):
                yield file.read_text(encoding="ascii", errors="replace")

    def _remove_remains(self) -> None:
        """Of killed processes."""
        for left in self._folder.glob(f"{EVICTED}*"):
            shutil.rmtree(left, ignore_errors=True)
        for left in self._folder.glob(f"{_DOWNLOAD}*"):
            with suppress(OSError):
                if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                    shutil.rmtree(left, ignore_errors=True)


def default_folder() -> Path:
    """Where fetched bundles are kept, in TLSEARCH_HOME."""
    return Paths.from_environment().home / "registry"


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
