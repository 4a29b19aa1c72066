"""Stored activations as an epoch shows them: of each photo the view that was drawn for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from typing import final

import numpy as np

from tlsearch.store.rows import Rows
from tlsearch.training.draws import Draw

IN_MEMORY = 512 * 2**20
"""Bytes of activations that a worker holds; what is larger is read batch by batch."""


class Mixture(ABC):
    """The views of a split's photos."""

    @abstractmethod
    def take(self, positions: np.ndarray, draw: Draw) -> np.ndarray:
        """Inputs for the photos at these places, in the dtype that they are stored in."""

    @abstractmethod
    def look(self, positions: np.ndarray) -> np.ndarray:
        """The first view of the photos at these places."""


@final
class Held(Mixture):
    """Views that are in memory, [views, n, ...]."""

    def __init__(self, views: np.ndarray) -> None:
        self.views = views

    def take(self, positions: np.ndarray, draw: Draw) -> np.ndarray:
        return self.views[draw.views[positions], positions]

    def look(self, positions: np.ndarray) -> np.ndarray:
        return self.views[0, positions]


@final
class Stored(Mixture):
    """Views that are read from the store as they are asked for: rows of the same photos in the
    same order."""

    def __init__(self, views: Sequence[Rows]) -> None:
        self._views = views

    def take(self, positions: np.ndarray, draw: Draw) -> np.ndarray:
        drawn, first = draw.views[positions], self._views[0]
        taken = np.empty((len(positions), *first.shape[1:]), first.dtype)
        for number in np.unique(drawn):
            of_view = drawn == number
            taken[of_view] = self._views[number].take(positions[of_view])
        return taken

    def look(self, positions: np.ndarray) -> np.ndarray:
        return self._views[0].take(positions)


class Shelf:
    """What a worker holds in memory from one trial to the next, least recently used first out."""

    def __init__(self, limit: int = IN_MEMORY) -> None:
        self._limit = limit
        self._held: OrderedDict[Hashable, Held] = OrderedDict()

    def get(self, key: Hashable) -> Held | None:
        if key in self._held:
            self._held.move_to_end(key)
        return self._held.get(key)

    def mix(self, key: Hashable, views: Sequence[Rows]) -> Mixture:
        """The views, held under the key if they are small enough."""
        size = sum(rows.nbytes for rows in views)
        if size > self._limit:
            return Stored(views)
        while self._held and size + self._bytes() > self._limit:
            self._held.popitem(last=False)
        together = np.empty((len(views), *views[0].shape), views[0].dtype)
        for number, rows in enumerate(views):
            together[number] = rows.read()
        self._held[key] = Held(together)
        return self._held[key]

    def _bytes(self) -> int:
        return sum(held.views.nbytes for held in self._held.values())
