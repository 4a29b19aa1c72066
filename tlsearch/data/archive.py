"""Photos in an archive, local or behind an address: unpacked once, then a folder source.

Fetching is in download.py, unpacking in extraction.py.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from tlsearch.data.download import check_sha256, fetch
from tlsearch.data.extraction import unpack
from tlsearch.data.folders import FolderSource, subfolders
from tlsearch.data.source import Listing, Source
from tlsearch.errors import DataError
from tlsearch.paths import Paths
from tlsearch.redaction import redact


@dataclass(frozen=True)
class ArchiveSource(Source):
    """A .tgz, .tar.gz or .zip; `location` is a path or an http(s) address.

    What was unpacked once is used again: by its checksum where the sweep gives one, else as
    long as the archive's place, size and time of change stay the same.
    """

    location: str
    sha256: str | None
    paths: Paths

    @property
    def description(self) -> str:
        return redact(self.location)

    def listing(self) -> Listing:
        folder = self._unpacked_earlier() or self._unpack()
        return FolderSource(_innermost(folder), called=self.description).listing()

    def _unpacked_earlier(self) -> Path | None:
        if self.sha256 is None:
            return None
        folder = self._folder(self.sha256)
        return folder if folder.is_dir() else None

    def _unpack(self) -> Path:
        if "://" in self.location:
            archive = fetch(self.location, self.sha256, self.paths)
        else:
            archive = _readable(Path(self.location))
            check_sha256(archive, self.sha256)
        return unpack(archive, self._folder(self.sha256 or _identity(archive)))

    def _folder(self, key: str) -> Path:
        return self.paths.store / "extracted" / key[:32]


def _readable(archive: Path) -> Path:
    """The same file, once it is clear that what fails later is not that it cannot be read."""
    try:
        archive.open("rb").close()
    except OSError as error:
        raise DataError(
            f"the archive of photos cannot be read: {archive}",
            received=str(error),
            expected="a file that this user may read",
            hint="give this user the right to read it",
        ) from error
    return archive


def _identity(archive: Path) -> str:
    """Stands for the content of a file without reading it."""
    status = archive.stat()
    text = f"{archive}\n{status.st_size}\n{status.st_mtime_ns}"
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _innermost(folder: Path) -> Path:
    """Step into a folder that stands alone, as long as there are folders in it."""
    children = subfolders(folder)
    if len(children) == 1 and subfolders(children[0]):
        return _innermost(children[0])
    return folder
