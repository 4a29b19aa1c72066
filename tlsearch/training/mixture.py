"""Stored activations as an epoch shows them: of each photo the view that was drawn for it."""

from __future__ import annotations

import numpy as np

from tlsearch.store.rows import Rows
from tlsearch.training.draws import Draw

IN_MEMORY = 512 * 2**20
"""Bytes up to which all views are read at once; more is read batch by batch."""


class Mixture:
    """The views of a split's photos.

    Args:
        views: rows of the same photos in the same order, [n, ...] each.
    """

    def __init__(self, views: list[Rows]) -> None:
        self._views = views
        small = sum(rows.nbytes for rows in views) <= IN_MEMORY
        self._held = np.stack([rows.read() for rows in views]) if small else None

    def take(self, positions: np.ndarray, draw: Draw) -> np.ndarray:
        """Inputs for the photos at these places, in the dtype that they are stored in."""
        drawn = draw.views[positions]
        if self._held is not None:
            return self._held[drawn, positions]
        first = self._views[0]
        taken = np.empty((len(positions), *first.shape[1:]), first.dtype)
        for number in np.unique(drawn):
            of_view = drawn == number
            taken[of_view] = self._views[number].take(positions[of_view])
        return taken

    def look(self, positions: np.ndarray) -> np.ndarray:
        """The first view of the photos at these places."""
        if self._held is not None:
            return self._held[0, positions]
        return self._views[0].take(positions)
