"""Photos in folders: one folder for each class, or these under train/, validation/, test/.

The name of a class is the name of its folder. Photos lie anywhere below it; links to folders
are followed at the level of classes and no deeper. Names that begin with a dot are passed over.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tlsearch.data.source import SPLITS, Listing, Photo, Source, split_of
from tlsearch.errors import DataError

EXTENSIONS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
)
_LAYOUT = "a folder with one folder of photos for each class, at least two"


@dataclass(frozen=True)
class FolderSource(Source):
    """A folder of class folders, or of split folders with class folders in them."""

    folder: Path
    called: str | None = None
    """What messages call it, where the folder itself is nothing the user knows."""

    @property
    def description(self) -> str:
        return self.called or str(self.folder)

    def listing(self) -> Listing:
        try:
            listing = _list(self.folder, split_folders(self.folder))
        except OSError as error:
            raise unreadable(self.folder, error) from error
        _check(listing, self.folder, self.description)
        return listing


def unreadable(folder: Path, error: OSError) -> DataError:
    """What to raise where a folder of photos cannot be read."""
    return DataError(
        f"the folder of photos cannot be read: {folder}",
        received=str(error),
        expected="folders that this user may read",
        hint="give this user the right to read them",
    )


def subfolders(folder: Path) -> list[Path]:
    """The visible folders in a folder, by name."""
    found = [path for path in folder.iterdir() if path.is_dir() and not _is_hidden(path.name)]
    return sorted(found, key=lambda path: path.name)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def split_folders(folder: Path) -> dict[str | None, list[Path]]:
    """The folders that hold classes, by the split they stand for.

    `train` beside names that are no splits is a class: there are photos of trains.
    """
    children = subfolders(folder)
    known = {path.name: split_of(path.name) for path in children}
    named = {split for split in known.values() if split}
    unknown = [name for name, split in known.items() if split is None]
    if not named or (unknown and len(named) == 1):
        return {None: [folder]}
    if unknown or "train" not in named:
        raise _split_error(folder, unknown)
    splits: dict[str | None, list[Path]] = {}
    for path in children:
        splits.setdefault(known[path.name], []).append(path)
    return splits


def _split_error(folder: Path, unknown: list[str]) -> DataError:
    what = f"no split has the name {' or '.join(unknown)}" if unknown else "there is no train/"
    return DataError(
        f"{what} in the folder of photos",
        received=f"{folder} with {', '.join(path.name for path in subfolders(folder))}",
        expected=f"folders {', '.join(SPLITS)} (of which train is needed), and no others",
        hint="rename the folders, or give one folder for each class and no splits",
    )


def _list(folder: Path, splits: dict[str | None, list[Path]]) -> Listing:
    photos, ignored = [], _count_files({folder}.union(*splits.values()))
    for split, parents in splits.items():
        for parent in parents:
            for child in subfolders(parent):
                found, other = photos_below(child)
                photos += [Photo(path, child.name, split) for path in found]
                ignored += other
    return Listing(sorted(photos, key=lambda p: p.path.relative_to(folder).parts), ignored)


def _count_files(folders: set[Path]) -> int:
    """Files that lie beside class folders, where they belong to no class."""
    return sum(path.is_file() for folder in folders for path in folder.iterdir())


def photos_below(folder: Path) -> tuple[list[Path], int]:
    """The photos at any depth, and how many other files there are."""
    photos, ignored = [], 0
    for parent, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if not _is_hidden(name)]
        for name in files:
            if _is_hidden(name) or Path(name).suffix.lower() not in EXTENSIONS:
                ignored += 1
            else:
                photos.append(Path(parent, name))
    return photos, ignored


def _raise(error: OSError) -> None:
    """Without this, os.walk passes over a folder that it may not read."""
    raise error


def _check(listing: Listing, folder: Path, description: str) -> None:
    labels = {photo.label for photo in listing.photos}
    empty = sorted(_class_names(folder) - labels)
    if not labels:
        raise DataError(
            "there are no classes in the folder of photos",
            received=description,
            expected=_LAYOUT,
            hint=f"photos end in {', '.join(sorted(EXTENSIONS))}; move them into class folders",
        )
    if empty:
        raise DataError(
            "a class has no photos: " + ", ".join(empty),
            received=description,
            expected="photos in each class folder",
            hint=f"remove the folder, or put photos in it ({', '.join(sorted(EXTENSIONS))})",
        )
    if len(labels) == 1:
        raise DataError(
            f"there is one class only: {labels.pop()}",
            received=description,
            expected=_LAYOUT,
            hint=_hint_for_one_class(folder),
        )


def _class_names(folder: Path) -> set[str]:
    splits = split_folders(folder)
    return {child.name for parents in splits.values() for p in parents for child in subfolders(p)}


def _hint_for_one_class(folder: Path) -> str:
    below = [path for path in subfolders(folder) if len(subfolders(path)) > 1]
    if below:
        return f"did you mean data.source={below[0]}?"
    return "add a folder with photos of something else"
