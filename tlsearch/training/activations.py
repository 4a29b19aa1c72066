"""What a trial's frozen backbone makes of its photos: read from the store, computed once.

A cut that is not stored is computed from the photos, or, where a shallower cut of the same view is
stored, from that.
"""

from __future__ import annotations

import math
import time
from collections.abc import Hashable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tlsearch.augmentation.draws import view_seeds
from tlsearch.augmentation.renderer import Renderer
from tlsearch.store.entry import Entry
from tlsearch.store.rows import Rows
from tlsearch.store.store import ActivationStore
from tlsearch.training.economy import Prospect, judge
from tlsearch.training.frozen import FrozenBackbone, Run
from tlsearch.training.head import POOLED
from tlsearch.training.mixture import Mixture, Shelf
from tlsearch.training.photos import Photos

if TYPE_CHECKING:
    from types import TracebackType

BATCH = 64
ORIGINAL = "original"
_SHELF = Shelf()


@dataclass(frozen=True)
class View:
    """One way of seeing photos: as they are, or one rendition of each by a renderer.

    total: how many views there are beside this one and with it.
    """

    number: int = 0
    renderer: Renderer | None = None
    total: int = 1

    @property
    def name(self) -> str:
        return f"{self.renderer.name}#{self.number}" if self.renderer else ORIGINAL

    def see(self, photos: Photos, positions: np.ndarray) -> np.ndarray:
        """The photos at these places of their split, rendered: uint8 [n, s, s, 3]."""
        pixels = photos.take(positions)
        if self.renderer is None:
            return pixels
        contents = [photos.contents[position] for position in positions]
        return self.renderer.render(pixels, view_seeds(contents, self.number))


def views(renderer: Renderer | None, number: int) -> list[View]:
    """The views of each photo: itself, and renditions of it that make them `number` in all.

    The photo itself is among them because the probe, the screening and trials without
    augmentation want it anyway.
    """
    if renderer is None:
        return [View()]
    return [View(total=number), *(View(one, renderer, number) for one in range(1, number))]


@dataclass(frozen=True)
class Saving:
    """When activations are stored.

    use: as `store.use` says; epochs: of a trial; trials: how many are expected to read the same;
    deepest: how many blocks the sweep unfreezes at most, 0 for none.
    """

    use: str = "auto"
    epochs: int = 10
    trials: float = 1
    deepest: int = 0


class Activations:
    """The outputs of one frozen backbone. Nothing that was read is evicted before it is closed.

    Args:
        photos: by split.
        saving: when they are stored.
    """

    def __init__(
        self,
        store: ActivationStore,
        frozen: FrozenBackbone,
        photos: Mapping[str, Photos],
        saving: Saving,
    ) -> None:
        self._store = store
        self.frozen = frozen
        self._photos = photos
        self._saving = saving
        self._open = ExitStack()
        self._entries: dict[tuple[str, str], Entry] = {}
        self._runs: dict[tuple[str | None, str], Run] = {}
        self._worth: dict[Hashable, bool] = {}

    def __enter__(self) -> Activations:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def keeps(self, cut: str, seen: Sequence[View]) -> bool:
        """Whether the outputs at a cut are to be read from the store, for these views of the train
        split: they are there, or it pays to put them there."""
        if self._saving.use == "never":
            return False
        if _SHELF.get(self._name("train", cut, seen)) is not None:
            return True
        # Each is opened, so that making room for the others leaves it alone.
        held = [self._has("train", cut, view) for view in seen]
        if all(held):
            return True
        prospect = self.prospect(cut, len(seen))
        verdict = judge(prospect, self._saving.use, self._store.limit)
        return verdict.stores and self._store.make_room(prospect.bytes_)

    def prospect(self, cut: str, number: int) -> Prospect:
        """What storing a cut would cost and save, with so many views; it is timed on a batch."""
        shape = self.frozen.row_shape(cut)
        itemsize = np.dtype(self.frozen.key(cut, ORIGINAL).dtype).itemsize
        return Prospect(
            photos=len(self._photos["train"]) + len(self._photos["validation"]) // number,
            views=number,
            epochs=self._saving.epochs,
            trials=self._saving.trials,
            bytes_a_photo=math.prod(shape) * itemsize,
            seconds_a_photo=self._seconds(cut),
        )

    def rows(self, split: str, cut: str, seen: Sequence[View]) -> list[Rows]:
        """The outputs at a cut for all photos of a split, for each of the views.

        Raises:
            HomeError: the disk is full, or may not be written to.
            WeightsError: the backbone has to be built and its weights are not at hand.
        """
        for view in seen:
            if self._has(split, cut, view):
                continue
            base = self._base(cut, seen)
            if base is not None:
                self._ensure(split, base, view)
            self._ensure(split, cut, view)
        return [self.entry(cut, view).rows(self._photos[split].contents) for view in seen]

    def mixture(self, split: str, cut: str, seen: Sequence[View]) -> Mixture:
        """The same, to be drawn from; in memory if a trial before had it there, or it is small."""
        name = self._name(split, cut, seen)
        return _SHELF.get(name) or _SHELF.mix(name, self.rows(split, cut, seen))

    def look(self, split: str, cut: str) -> np.ndarray:
        """The outputs at a cut for all photos of a split as they are, [n, ...]: stored or not."""
        if self._saving.use != "never":
            return self.rows(split, cut, [View()])[0].read()
        photos = self._photos[split]
        run = self._runner(None, cut, len(photos))
        return np.concatenate([run(batch) for batch in photos.batches(BATCH)])

    def entry(self, cut: str, view: View) -> Entry:
        """The store's entry of a cut and a view, held until this is closed."""
        key = (cut, view.name)
        if key not in self._entries:
            opened = self._store.open(self.frozen.key(cut, view.name))
            self._entries[key] = self._open.enter_context(opened)
        return self._entries[key]

    def width(self) -> int:
        """How many pooled features there are of a photo."""
        shape = self.entry(POOLED, View()).shape or self.frozen.row_shape(POOLED)
        return shape[0]

    def parameters(self) -> int:
        """Of the backbone, without a classifier; without building it where that is stored."""
        facts = self.entry(POOLED, View()).facts
        return int(facts.get("parameters") or self.frozen.parameters)

    def _name(self, split: str, cut: str, seen: Sequence[View]) -> Hashable:
        keys = tuple(self.frozen.key(cut, view.name) for view in seen)
        return self._photos[split].digest, keys

    def _base(self, cut: str, seen: Sequence[View]) -> str | None:
        """The shallower cut to store first: the one below all that the sweep may unfreeze, if
        storing it for these views pays."""
        base = self.frozen.boundary(self._saving.deepest) if self._saving.deepest else None
        if base is None or not self.frozen.precedes(base, cut):
            return None
        name = self._name("train", base, seen)
        if name not in self._worth:
            self._worth[name] = self.keeps(base, seen)
        return base if self._worth[name] else None

    def _has(self, split: str, cut: str, view: View) -> bool:
        if not self._store.holds(self.frozen.key(cut, view.name)):
            return False
        return not self.entry(cut, view).missing(self._photos[split].contents)

    def _ensure(self, split: str, cut: str, view: View) -> None:
        photos, entry = self._photos[split], self.entry(cut, view)
        missing = len(entry.missing(photos.contents))
        if not missing:
            return
        places = {content: place for place, content in enumerate(photos.contents)}
        start = self._shallower(split, cut, view)
        run = self._runner(start, cut, missing * view.total)
        below = None if start is None else self.entry(start, view).rows(photos.contents)

        def compute(contents: Sequence[str]) -> np.ndarray:
            positions = np.array([places[content] for content in contents])
            parts = [positions[at : at + BATCH] for at in range(0, len(positions), BATCH)]
            inputs = (
                view.see(photos, part) if below is None else below.take(part) for part in parts
            )
            return np.concatenate([run(batch) for batch in inputs])

        entry.fill(photos.contents, self.frozen.row_shape(cut), compute)
        entry.note({"parameters": self.frozen.parameters})

    def _shallower(self, split: str, cut: str, view: View) -> str | None:
        """The deepest cut below this one that is stored for all of the photos."""
        below = reversed(self.frozen.cuts_below(cut))
        return next((one for one in below if self._has(split, one, view)), None)

    def _runner(self, start: str | None, cut: str, photos: int) -> Run:
        if (start, cut) not in self._runs:
            self._runs[start, cut] = self.frozen.runner(start, cut, photos)
        return self._runs[start, cut]

    def _seconds(self, cut: str) -> float:
        """How long one photo takes from its pixels to the cut."""
        photos = self._photos["train"]
        run = self._runner(None, cut, len(photos))
        batch = next(photos.batches(BATCH))
        run(batch)  # the first one is slower
        started = time.perf_counter()
        run(batch)
        return (time.perf_counter() - started) / len(batch)
