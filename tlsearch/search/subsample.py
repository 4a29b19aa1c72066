"""Which photos screening looks at: subsamples within each other, every class by its share."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

FEWEST = 5
"""Photos of a class below which a probe cannot be cross-validated on it: such a class is left out.
As many of each class come first."""


def nested(labels: np.ndarray, contents: Sequence[str], seed: int) -> np.ndarray:
    """An order of photos of which every beginning is a stratified sample.

    It depends on contents and seed alone, not on the order in which the photos come.

    Args:
        labels: int64 [n]; contents: SHA-256 of each photo's file.

    Returns:
        int64 positions, of all photos whose class has at least `FEWEST`.
    """
    drawn = [hashlib.sha256(f"{seed}:{content}".encode()).digest() for content in contents]
    places: list[tuple[float, bytes, int]] = []
    for label in np.unique(labels):
        members = sorted(np.flatnonzero(labels == label), key=lambda position: drawn[position])
        if len(members) < FEWEST:
            continue
        for rank, position in enumerate(members):
            share = 0.0 if rank < FEWEST else (rank + 0.5) / len(members)
            places.append((share, drawn[position], int(position)))
    return np.array([position for *_, position in sorted(places)], np.int64)


def first_size(classes: int) -> int:
    """How many photos every candidate is measured on: 300, or ten of each class."""
    return max(300, 10 * classes)
