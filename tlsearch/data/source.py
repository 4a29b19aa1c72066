"""Where photos come from: one abstract class, and the choice among its implementations."""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tlsearch.errors import DataError

if TYPE_CHECKING:
    from tlsearch.config.schema import PhotoData
    from tlsearch.paths import Paths

ARCHIVES = (".tgz", ".tar.gz", ".zip")
SPLITS = ("train", "validation", "test")
_SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class Photo:
    """A file, its class, and the split that the source puts it in (None: it does not say)."""

    path: Path
    label: str
    split: str | None


@dataclass(frozen=True)
class Listing:
    """The photos of a source in a stable order, and how many other files lay among them."""

    photos: list[Photo]
    ignored: int = 0


class Source(ABC):
    """A place that photos come from. Opening one is cheap; listing may download or draw."""

    @property
    @abstractmethod
    def description(self) -> str:
        """One line for messages and reports."""

    @abstractmethod
    def listing(self) -> Listing:
        """Every photo of at least two classes.

        Raises:
            DataError: there are no classes, an empty one, only one, or the files are damaged.
            DownloadError: an archive could not be fetched.
        """

    def photos(self) -> list[Photo]:
        """The listing without the count of ignored files."""
        return self.listing().photos


def open_source(data: PhotoData, paths: Paths, *, labelled: bool = True) -> Source:
    """The source that `data.source` names. Nothing is read or fetched yet.

    Args:
        labelled: False takes a folder that has no class folders too, and no notice of them.

    Raises:
        DataError: there is no such folder or file, or it is of no known kind.
    """
    name = data.source
    source = _open_archive(data, paths) if _is_archive(name) else None
    if source is not None:
        return source
    if data.sha256 is not None:
        raise DataError(
            "data.sha256 is the checksum of an archive, and the source is none",
            received=name,
            expected=f"a source that ends in {', '.join(ARCHIVES)}",
            hint="remove data.sha256 from the sweep file",
        )
    if name.startswith("generated:"):
        return _open_generated(data, paths)
    return _open_local(name, labelled)


def split_of(name: str) -> str | None:
    """The split that a folder or a cell of a manifest names; None where it is no known name."""
    return _SPLIT_NAMES.get(name.strip().lower())


def _is_archive(name: str) -> bool:
    return "://" in name or (name.lower().endswith(ARCHIVES) and not Path(name).is_dir())


def _open_archive(data: PhotoData, paths: Paths) -> Source:
    from tlsearch.data.archive import ArchiveSource

    if "://" in data.source:
        if not data.source.lower().startswith(("http://", "https://")):
            raise DataError(
                "the source is an address that cannot be fetched",
                received=data.source,
                expected="http:// or https://",
                hint="download it, and give the local path as data.source",
            )
        return ArchiveSource(data.source, data.sha256, paths)
    return ArchiveSource(str(_existing(data.source)), data.sha256, paths)


def _open_generated(data: PhotoData, paths: Paths) -> Source:
    from tlsearch.data.generated import GeneratedSource

    if data.source != "generated:flowers":
        raise DataError(
            "there are no such generated photos",
            received=data.source,
            expected="generated:flowers",
            hint="data.source=generated:flowers",
        )
    return GeneratedSource(data.generated, paths)


def _open_local(name: str, labelled: bool) -> Source:
    from tlsearch.data.folders import FolderSource
    from tlsearch.data.manifest import ManifestSource
    from tlsearch.data.unlabelled import UnlabelledSource

    path = _existing(name)
    if path.is_dir():
        return FolderSource(path) if labelled else UnlabelledSource(path)
    if path.suffix.lower() == ".csv":
        return ManifestSource(path)
    raise DataError(
        "the source is a file of no known kind",
        received=str(path),
        expected=f"a folder, {', '.join(ARCHIVES)}, .csv, an address, or generated:flowers",
        hint="give the folder that holds one folder of photos for each class",
    )


def _existing(name: str) -> Path:
    path = Path(name).expanduser().absolute()
    if path.exists():
        return path
    raise DataError(
        "the source of the photos does not exist",
        received=str(path),
        expected="a folder with a folder of photos for each class, an archive, or a .csv",
        hint=_near_matches(path),
    )


def _near_matches(path: Path) -> str:
    parent = next(folder for folder in path.parents if folder.is_dir())
    lost = path.relative_to(parent).parts[0]
    near = difflib.get_close_matches(lost, sorted(p.name for p in parent.iterdir()), cutoff=0.5)
    if near:
        return "did you mean " + " or ".join(str(parent / name) for name in near) + "?"
    return f"{parent} exists and has no {lost}; try data.source=generated:flowers for drawn photos"
