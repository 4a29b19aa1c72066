"""The photos of a benchmark: split once, by tlsearch's own rule, into folders for all sides."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tlsearch.config.schema import PhotoData, Split
from tlsearch.data.source import open_source
from tlsearch.data.split import Hashed, assign
from tlsearch.errors import DataError
from tlsearch.paths import Paths

_SEEDS_TRIED = 100


def split_folders(source: Path, count: int | None, target: Path) -> Path:
    """Links to the photos in train/, validation/ and test/, a folder for each class in each.

    Args:
        count: about how many photos to take, as many of each class as its share; None takes all.

    Raises:
        DataError: there is no such folder, or a class would have no photo in a split.
    """
    photos = thin_out(_listed(source), count)
    hashed = [Hashed(_digest(path), label, None) for path, label in photos]
    for (path, label), place in zip(photos, _places(hashed), strict=True):
        link = target / place / label / path.name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path.resolve())
    return target


def link(source: Path, count: int | None, target: Path) -> Path:
    """Links to about `count` of the photos, a folder for each class.

    Raises:
        DataError: there are none.
    """
    files = [(file, file.parent.name) for file in sorted(source.glob("*/*")) if file.is_file()]
    if not files:
        expected = "a folder with a folder of photos for each class"
        raise DataError("no photos", received=source, expected=expected, hint="--data FOLDER")
    for file, label in thin_out(files, count):
        (target / label).mkdir(parents=True, exist_ok=True)
        (target / label / file.name).symlink_to(file.resolve())
    return target


def repeat(split: Path, copies: int, target: Path) -> Path:
    """The same folders with `copies` photos for each.

    Each copy has other bytes after the picture's end, so that no two have the same content.
    """
    for file in sorted(split.glob("*/*/*")):
        folder = target / file.parent.relative_to(split)
        folder.mkdir(parents=True, exist_ok=True)
        content = file.read_bytes()
        for copy in range(copies):
            name = f"{file.stem}-{copy}{file.suffix}"
            (folder / name).write_bytes(content + copy.to_bytes(8, "big"))
    return target


def count_photos(split: Path) -> int:
    """How many photos lie in split folders."""
    return sum(1 for _ in split.glob("*/*/*"))


def thin_out(photos: list[tuple[Path, str]], count: int | None) -> list[tuple[Path, str]]:
    """About `count` of the photos with their labels, evenly spaced, each class by its share."""
    if count is None or count >= len(photos):
        return photos
    ordered = sorted(photos, key=lambda photo: (photo[1], photo[0].name))
    return [ordered[i * len(ordered) // count] for i in range(count)]


def _listed(source: Path) -> list[tuple[Path, str]]:
    if not source.is_dir():
        raise DataError(
            "the photos are not there",
            received=source,
            expected="a folder with a folder of photos for each class",
            hint="--data FOLDER",
        )
    data = PhotoData(source=str(source))
    listing = open_source(data, Paths.from_environment()).listing()
    return [(photo.path, photo.label) for photo in listing.photos]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _places(photos: list[Hashed]) -> list[str]:
    """The default split, or of a small subset that of the first seed that fills every split."""
    first = Split().seed
    for seed in range(first, first + _SEEDS_TRIED):
        try:
            return assign(photos, Split(seed=seed))
        except DataError as error:
            missing = error
    raise missing
