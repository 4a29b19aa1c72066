"""Which split a photo falls in: decided by its content alone, never by its neighbours.

A photo's place in [0, 1) is a hash of the seed and of its content. So photos that are added
move none of the others, and identical photos always fall in the same split.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tlsearch.config.schema import Split
from tlsearch.data.source import SPLITS
from tlsearch.errors import DataError

_SEEDS_TRIED = 1000


@dataclass(frozen=True)
class Hashed:
    """A readable photo: the SHA-256 of its content, its class, the split that its source names."""

    content: str
    label: str
    split: str | None


def assign(photos: Sequence[Hashed], split: Split) -> list[str]:
    """The split of each photo.

    A split that the source names keeps its photos. Those that it does not name are carved out of
    train in proportion: where only `test` is named, validation gets
    validation / (train + validation) of train. A photo without a split counts as train.

    Raises:
        DataError: a class has no photo in one of the splits.
    """
    carved = _carved(photos)
    places = [_place(photo, split, carved, split.seed) for photo in photos]
    if any(count == 0 for count in count_photos(photos, places).values()):
        raise _missing_error(photos, places, split, carved)
    return places


def count_photos(photos: Sequence[Hashed], places: Sequence[str]) -> dict[tuple[str, str], int]:
    """How many photos each class has in each split, zeros included."""
    counts = Counter((photo.label, place) for photo, place in zip(photos, places, strict=True))
    labels = sorted({photo.label for photo in photos})
    return {(label, name): counts[label, name] for label in labels for name in SPLITS}


def fraction(content: str, seed: int) -> float:
    """A place in [0, 1) that depends on nothing but these two."""
    digest = hashlib.sha256(f"{seed}:{content}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def _carved(photos: Sequence[Hashed]) -> tuple[str, ...]:
    """The splits that the source does not name, and that train must give photos to."""
    named = {photo.split for photo in photos}
    return tuple(name for name in ("test", "validation") if name not in named)


def _place(photo: Hashed, split: Split, carved: tuple[str, ...], seed: int) -> str:
    if photo.split not in (None, "train"):
        return str(photo.split)
    shares = {"train": split.train, "validation": split.validation, "test": split.test}
    total = split.train + sum(shares[name] for name in carved)
    left = fraction(photo.content, seed) * total
    for name in carved:
        left -= shares[name]
        if left < 0:
            return name
    return "train"


def _missing_error(
    photos: Sequence[Hashed], places: Sequence[str], split: Split, carved: tuple[str, ...]
) -> DataError:
    counts = count_photos(photos, places)
    missing = [f"{label} in {name}" for (label, name), count in counts.items() if count == 0]
    seed = _find_seed(photos, split, carved)
    hint = "add photos of these classes, or give the splits other shares"
    return DataError(
        f"a class has no photos in a split: {', '.join(missing)}",
        received="\n    ".join(["photos by class and split", *_table(counts)]),
        expected="at least one photo of each class in train, validation and test",
        hint=hint if seed is None else f"data.split.seed={seed} gives each split some; or {hint}",
    )


def _table(counts: dict[tuple[str, str], int]) -> Iterator[str]:
    for label in dict.fromkeys(label for label, _ in counts):
        cells = [f"{name} {counts[label, name]}" for name in SPLITS]
        yield f"{label}: {', '.join(cells)}"


def _find_seed(photos: Sequence[Hashed], split: Split, carved: tuple[str, ...]) -> int | None:
    """The smallest seed that gives each class a photo in each split, if one of the first does."""
    groups = defaultdict(list)
    for photo in photos:
        groups[photo.label].append(photo)
    # The smallest class rules out most seeds, so it is asked first.
    classes = sorted(groups.values(), key=len)
    for seed in range(_SEEDS_TRIED):
        if all(_covers(group, split, carved, seed) for group in classes):
            return seed
    return None


def _covers(group: list[Hashed], split: Split, carved: tuple[str, ...], seed: int) -> bool:
    missing = set(SPLITS)
    for photo in group:
        missing.discard(_place(photo, split, carved, seed))
        if not missing:
            return True
    return False
