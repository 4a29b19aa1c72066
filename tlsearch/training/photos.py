"""The photos of one split as training reads them: decoded, mapped from the pixel store."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tlsearch.data.dataset import Dataset
from tlsearch.data.pixels import PixelStore
from tlsearch.errors import DataError
from tlsearch.execution.pulse import beat


@dataclass(frozen=True, eq=False)
class Photos:
    """Photos in the pixel store.

    pixels: uint8 [rows, s, s, 3]; rows: int64 [n], where each photo stands; contents: the SHA-256
    of each photo's file in hex, for what is stored by content.
    """

    pixels: np.ndarray
    rows: np.ndarray
    contents: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """Stands for which photos they are, and their order."""
        return hashlib.sha256("".join(self.contents).encode()).hexdigest()

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, positions: np.ndarray) -> np.ndarray:
        """The photos at these places of the split: uint8 [len(positions), s, s, 3]."""
        beat()
        return self.pixels[self.rows[positions]]

    def batches(self, size: int) -> Iterator[np.ndarray]:
        for start in range(0, len(self), size):
            beat()
            yield self.pixels[self.rows[start : start + size]]


def photos(dataset: Dataset, split: str, pixels: PixelStore) -> Photos:
    """The photos of a split, in the order of the split.

    Raises:
        DataError: one of them is not in the pixel store.
    """
    contents = tuple(dataset.contents[i] for i in dataset.splits[split])
    try:
        return Photos(pixels.pixels, pixels.rows(contents), contents)
    except (KeyError, FileNotFoundError) as error:
        raise DataError(
            "photos are missing that were decoded before",
            received=f"the folder {pixels.folder}",
            hint="run the same command again: they are decoded anew",
        ) from error
