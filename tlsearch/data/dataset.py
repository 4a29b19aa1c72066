"""From a source to a data set: listed, hashed, decoded, checked and split."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tlsearch.config.schema import PhotoData
from tlsearch.data.conflicts import find_conflicts
from tlsearch.data.photo import RESIZE_RULE
from tlsearch.data.pixels import PixelStore
from tlsearch.data.source import SPLITS, Listing, Photo, open_source
from tlsearch.data.split import Hashed, assign
from tlsearch.errors import DataError
from tlsearch.paths import Paths
from tlsearch.progress import track

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 10
_HASHING_THREADS = 8


@dataclass(frozen=True)
class Unreadable:
    """A photo that is left out, and why."""

    path: str
    reason: str


@dataclass(frozen=True, eq=False)
class Dataset:
    """Readable photos with their classes and splits, in an order that file names do not change.

    `contents` are SHA-256 in hex, the keys of the pixel store. `labels` is int64 of shape [n] and
    points into `classes`; each entry of `splits` (train, validation, test) is int64 and points
    into `contents`. `digest` stands for contents, classes and splits together.
    """

    classes: tuple[str, ...]
    paths: tuple[str, ...]
    contents: tuple[str, ...]
    labels: np.ndarray
    splits: Mapping[str, np.ndarray]
    unreadable: tuple[Unreadable, ...]
    warnings: tuple[str, ...]
    digest: str
    source: str

    @property
    def files(self) -> dict[str, Path]:
        """Where each photo lies, by its content, as `PixelStore.add` takes them."""
        return dict(zip(self.contents, map(Path, self.paths), strict=True))

    def labels_of(self, split: str) -> np.ndarray:
        """The labels of a split's photos, in the order of the split: int64 [n]."""
        return self.labels[self.splits[split]]

    def counts(self) -> pd.DataFrame:
        """How many photos there are: a row for each class, a column for each split."""
        import pandas as pd

        columns = {
            name: np.bincount(self.labels[rows], minlength=len(self.classes))
            for name, rows in self.splits.items()
        }
        return pd.DataFrame(columns, index=pd.Index(self.classes, name="class"))


def pixel_store(paths: Paths, size: int) -> PixelStore:
    """The store of all photos at `size` pixels a side, whichever sweep they come from."""
    rule = hashlib.sha256(json.dumps(RESIZE_RULE, sort_keys=True).encode()).hexdigest()
    return PixelStore(paths.store / "pixels" / f"{rule[:12]}-{size}", size)


def prepare(data: PhotoData, paths: Paths, size: int, *, labelled: bool = True) -> Dataset:
    """List the photos, decode those that are new at `size` pixels a side, and split them.

    A second call hashes the files again and decodes nothing.

    Args:
        labelled: False for photos whose classes nobody asks for; a folder is all one class then.

    Raises:
        DataError: too many photos are unreadable, a class has no photo in a split, or the
            source cannot be used.
        DownloadError: an archive could not be fetched.
    """
    source = open_source(data, paths, labelled=labelled)
    listing = source.listing()
    readable, unreadable = _read(listing.photos, pixel_store(paths, size))
    _check_unreadable(unreadable, len(listing.photos), data.max_unreadable)
    readable.sort(key=lambda item: (item[1].label, item[1].content, item[0]))
    files, photos = [path for path, _ in readable], [photo for _, photo in readable]
    places = assign(photos, data.split)
    classes = sorted({photo.label for photo in photos})
    numbers = {name: number for number, name in enumerate(classes)}
    return Dataset(
        classes=tuple(classes),
        paths=tuple(files),
        contents=tuple(photo.content for photo in photos),
        labels=np.array([numbers[photo.label] for photo in photos], np.int64),
        splits={name: np.flatnonzero(np.array(places) == name) for name in SPLITS},
        unreadable=tuple(unreadable),
        warnings=(
            *_listing_warnings(listing, unreadable),
            *find_conflicts(files, photos, places),
        ),
        digest=_digest(photos, places),
        source=source.description,
    )


def _read(
    photos: Sequence[Photo], store: PixelStore
) -> tuple[list[tuple[str, Hashed]], list[Unreadable]]:
    """Bring the photos into the store; those that are in it by path, and the others."""
    hashes = _hash_all([photo.path for photo in photos])
    files = {it.digest: photo.path for it, photo in zip(hashes, photos, strict=True) if it.digest}
    reasons = store.add(files)
    readable, unreadable = [], []
    for it, photo in zip(hashes, photos, strict=True):
        reason = it.reason or reasons.get(it.digest)
        if reason is None:
            readable.append((str(photo.path), Hashed(it.digest, photo.label, photo.split)))
        else:
            unreadable.append(Unreadable(str(photo.path), reason))
    return readable, unreadable


@dataclass(frozen=True)
class _Hash:
    digest: str
    reason: str | None = None


def _hash_all(files: Sequence[Path]) -> list[_Hash]:
    with ThreadPoolExecutor(_HASHING_THREADS) as threads:
        return list(track(threads.map(_hash, files), "hashing photos", len(files)))


def _hash(file: Path) -> _Hash:
    try:
        with file.open("rb") as opened:
            return _Hash(hashlib.file_digest(opened, "sha256").hexdigest())
    except OSError as error:
        return _Hash("", error.strerror or str(error))


def _check_unreadable(unreadable: Sequence[Unreadable], total: int, allowed: float) -> None:
    count = len(unreadable)
    if count == total:
        raise _unreadable_error("every photo is unreadable", unreadable, "photos", "")
    if count > allowed * total:
        raise _unreadable_error(
            f"{count} of {total} photos are unreadable ({count / total:.2%})",
            unreadable,
            f"at most {allowed:.2%}",
            f", or leave them out: data.max_unreadable={_round_up(count / total)}",
        )


def _unreadable_error(
    what: str, unreadable: Sequence[Unreadable], expected: str, way_out: str
) -> DataError:
    shown = [f"{photo.path}: {photo.reason}" for photo in unreadable[:_SHOWN]]
    if len(unreadable) > _SHOWN:
        shown.append(f"... and {len(unreadable) - _SHOWN} more")
    return DataError(
        what,
        received="\n    ".join(["", *shown]),
        expected=expected,
        hint=f"remove these files, or replace them{way_out}",
    )


def _round_up(share: float) -> float:
    return min(1.0, math.ceil(share * 100) / 100)


def _listing_warnings(listing: Listing, unreadable: Sequence[Unreadable]) -> list[str]:
    found = [
        (len(unreadable), "unreadable photos left out"),
        (listing.ignored, "files passed over (hidden, of other kinds, or in no class folder)"),
    ]
    return [f"{what}: {count}" for count, what in found if count]


def _digest(photos: Sequence[Hashed], places: Sequence[str]) -> str:
    digest = hashlib.sha256()
    for photo, place in zip(photos, places, strict=True):
        digest.update(json.dumps([photo.content, photo.label, place]).encode())
    return digest.hexdigest()
