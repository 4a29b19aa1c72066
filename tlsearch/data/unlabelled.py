"""Photos whose classes nobody knows or needs: everything below a folder.

A photo falls in the split that it has where the same folder is read with its classes, so that
nothing is learned from a photo that a sweep tests on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tlsearch.data.folders import EXTENSIONS, photos_below, split_folders, subfolders, unreadable
from tlsearch.data.source import Listing, Photo, Source
from tlsearch.errors import DataError

NO_CLASS = "unlabelled"
_CLASSED = 3
"""split/class/photo: from so many parts on a photo below a split folder has a class."""


@dataclass(frozen=True)
class UnlabelledSource(Source):
    """A folder of photos at any depth; train/, validation/ and test/ in it keep their meaning."""

    folder: Path

    @property
    def description(self) -> str:
        return str(self.folder)

    def listing(self) -> Listing:
        """Every photo, all of one class.

        Raises:
            DataError: there is none, or the folder cannot be read.
        """
        try:
            listing = _list(self.folder)
        except OSError as error:
            raise unreadable(self.folder, error) from error
        if not listing.photos:
            raise DataError(
                "there are no photos in the folder",
                received=self.description,
                expected=f"files that end in {', '.join(sorted(EXTENSIONS))}",
                hint="give the folder that holds the photos",
            )
        return listing


def _list(folder: Path) -> Listing:
    splits = split_folders(folder)
    found, ignored = [], 0
    if None not in splits:
        ignored += sum(path.is_file() for path in folder.iterdir())
    for split, parents in splits.items():
        for place in (place for parent in parents for place in _places(parent)):
            paths, other = photos_below(place)
            found += [Photo(path, NO_CLASS, split) for path in paths]
            ignored += other
    kept = _in_known_splits(found, folder)
    kept.sort(key=lambda photo: photo.path.relative_to(folder).parts)
    return Listing(kept, ignored + len(found) - len(kept))


def _places(parent: Path) -> list[Path]:
    """The folder, and the linked folders in it: a class folder may be a link."""
    return [parent, *(child for child in subfolders(parent) if child.is_symlink())]


def _in_known_splits(photos: list[Photo], folder: Path) -> list[Photo]:
    """Leave out a test/ without class folders beside a train/ that has some.

    Read with its classes such a folder has no test split, and part of train/ becomes it. Were
    these photos the test split here, that part would be learned from.
    """
    parts = [(photo.split, photo.path.relative_to(folder).parts) for photo in photos]
    classed = {(split, below[1]) for split, below in parts if len(below) >= _CLASSED}
    splits = {split for split, _ in classed}
    has_classes = "train" in splits and len({name for _, name in classed}) > 1
    return [photo for photo in photos if photo.split in splits] if has_classes else photos
