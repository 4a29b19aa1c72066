"""What a trial's frozen backbone makes of its photos: read from the store, computed once.

A cut that is not stored is computed from the photos, or, where a shallower cut of the same view is
stored, from that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tlsearch.execution.pulse import beat
from tlsearch.store.entry import Entry
from tlsearch.store.rows import Rows
from tlsearch.store.store import ActivationStore
from tlsearch.training.demand import Expected, Reading
from tlsearch.training.economy import NEVER, READ, Prospect, Verdict, judge
from tlsearch.training.frozen import FrozenBackbone, Run
from tlsearch.training.head import POOLED
from tlsearch.training.mixture import Mixture, Shelf
from tlsearch.training.photos import Photos
from tlsearch.training.stopwatch import Stopwatch
from tlsearch.training.views import ORIGINAL, View

if TYPE_CHECKING:
    from types import TracebackType

    from tlsearch.config.schema import Sweep
    from tlsearch.paths import Paths

BATCH = 64
_SHELF = Shelf()


def open_store(sweep: Sweep, paths: Paths) -> ActivationStore:
    """The activation store, kept to what a sweep allows it: bytes, and a disk that is not full."""
    return ActivationStore(paths.activations, sweep.store.limit, sweep.execution.min_free)


def alone(_: Reading) -> Expected:
    """One trial of ten epochs."""
    return Expected(1, 10)


def _keep_quiet(cut: str, verdict: Verdict) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Saving:
    """When activations are stored.

    use: as `store.use` says; deepest: how many blocks the sweep unfreezes at most, 0 for none;
    expect: how much is expected to be read of what; tell: is told what was decided about a cut;
    batch: how many photos are computed at once.
    """

    use: str = "auto"
    deepest: int = 0
    expect: Callable[[Reading], Expected] = alone
    tell: Callable[[str, Verdict], None] = _keep_quiet
    batch: int = BATCH


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
        self._worth: dict[Hashable, Verdict] = {}

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
        split: they are there, or it pays to put them there. Room for them is made."""
        verdict = self._decide(cut, seen)
        self._saving.tell(cut, verdict)
        return verdict.stores

    def _decide(self, cut: str, seen: Sequence[View]) -> Verdict:
        if self._saving.use == "never":
            return NEVER
        if _SHELF.get(self._name("train", cut, seen)) is not None:
            return Verdict(True, "it is in memory")
        verdict = self.judge(cut, seen)
        if verdict.stores and not self._make_room(cut, seen):
            return Verdict(False, "what would have to go is in use")
        return verdict

    def judge(self, cut: str, seen: Sequence[View]) -> Verdict:
        """The same, and why; makes no room."""
        if self._saving.use != "never" and not self.lacking(cut, seen):
            return Verdict(True, "it is stored")
        start = self._start(cut, seen)
        below = self._bytes(start, seen) if start else 0
        return judge(self.prospect(cut, seen), self._saving.use, self._store.room() - below)

    def prospect(self, cut: str, seen: Sequence[View]) -> Prospect:
        """What storing a cut would cost and save, with these views; it is timed on a batch."""
        photos, start = self._photos, self._start(cut, seen)
        expected = self._saving.expect(self.reading(cut, seen))
        reading = self._row_bytes(start) / READ if start else 0.0
        return Prospect(
            rows=self.lacking(cut, seen),
            row_bytes=self._row_bytes(cut),
            row_seconds=self._stopwatch.seconds(start, cut) + reading,
            looks=(len(photos["train"]) + len(photos["validation"])) * expected.epochs,
            look_seconds=self._stopwatch.seconds(None, cut, by=self._shallowest(cut)),
        )

    def reading(self, cut: str, seen: Sequence[View]) -> Reading:
        """What trials share that read a cut in these views."""
        frozen, renderer = self.frozen, seen[-1].renderer
        is_pooled = cut == POOLED
        return Reading(
            backbone=frozen.spec.label,
            image_size=frozen.image_size,
            unfreeze=None if is_pooled else len(frozen.blocks) - 1 - frozen.blocks.index(cut),
            pooling=frozen.pooling if is_pooled else "",
            rendition=renderer.name if renderer else "",
        )

    def holdings(self, cut: str, seen: Sequence[View]) -> Iterator[tuple[str, View, int, int]]:
        """What is read of a cut, by split and view: how many rows, and how many are not stored.
        Holds what is stored of them."""
        for split, view in [*(("train", view) for view in seen), ("validation", View())]:
            rows = len(set(self._photos[split].contents))
            yield split, view, rows, self._missing(split, cut, view)

    def lacking(self, cut: str, seen: Sequence[View]) -> int:
        """How many rows of these views of the train split, and of the validation split as it is,
        are not stored at a cut."""
        return sum(missing for *_, missing in self.holdings(cut, seen))

    def rows(self, split: str, cut: str, seen: Sequence[View]) -> list[Rows]:
        """The outputs at a cut for all photos of a split, for each of the views.

        Raises:
            HomeError: the disk is full, or may not be written to.
            WeightsError: the backbone has to be built and its weights are not at hand.
        """
        base = self._roomy_base(split, cut, seen)
        if base is not None:
            self._saving.tell(base, self._worth[self._name("train", base, seen)])
        for view in seen:
            if base is not None and not self._has(split, cut, view):
                self._ensure(split, base, view)
            self._ensure(split, cut, view)
        return [self.entry(cut, view).rows(self._photos[split].contents) for view in seen]

    def mixture(self, split: str, cut: str, seen: Sequence[View]) -> Mixture:
        """The same, to be drawn from; in memory if a trial before had it there, or it is small."""
        name = self._name(split, cut, seen)
        return _SHELF.get(name) or _SHELF.mix(name, self.rows(split, cut, seen))

    def look(self, split: str, cut: str) -> np.ndarray:
        """The outputs at a cut for all photos of a split as they are, [n, ...]: stored or not."""
        if self._saving.use != "never" and self._make_room_for([cut], [View()]):
            return self.rows(split, cut, [View()])[0].read()
        photos = self._photos[split]
        run = self._runner(None, cut, len(photos))
        return np.concatenate([run(batch) for batch in photos.batches(self._saving.batch)])

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

    def _shallowest(self, cut: str) -> str | None:
        """The cut below all that the sweep may unfreeze, if it is below this one."""
        deepest = self._saving.deepest
        found = self.frozen.boundary(deepest) if deepest else None
        return found if found is not None and self.frozen.precedes(found, cut) else None

    def _base(self, cut: str, seen: Sequence[View]) -> str | None:
        """The shallower cut to store first, if storing it for these views pays."""
        base = self._shallowest(cut)
        if base is None:
            return None
        name = self._name("train", base, seen)
        if name not in self._worth:
            self._worth[name] = self.judge(base, seen)
        return base if self._worth[name].stores else None

    def _roomy_base(self, split: str, cut: str, seen: Sequence[View]) -> str | None:
        """The same, if there is something to be computed from it and room for it."""
        lacking = [view for view in seen if not self._has(split, cut, view)]
        if not any(self._shallower(split, cut, view) is None for view in lacking):
            return None
        base = self._base(cut, seen)
        return base if base and self._make_room(base, seen) else None

    def _start(self, cut: str, seen: Sequence[View]) -> str | None:
        """Which shallower cut this one will be computed from."""
        for one in reversed(self.frozen.cuts_below(cut)):
            if all(self._has("train", one, view) for view in seen):
                return one
        return self._base(cut, seen)

    def _make_room(self, cut: str, seen: Sequence[View]) -> bool:
        """Make room for a cut and what comes first, unless it is there. What is to grow is opened
        before, so that it is not evicted."""
        if not self.lacking(cut, seen):
            return True
        cuts = [one for one in (self._start(cut, seen), cut) if one is not None]
        return self._make_room_for(cuts, seen)

    def _make_room_for(self, cuts: Sequence[str], seen: Sequence[View]) -> bool:
        """Make room for what is lacking at these cuts and at no others, if anything is."""
        bytes_ = sum(self._bytes(one, seen) for one in cuts)
        for one in cuts:
            for view in seen:
                self.entry(one, view)
        return not bytes_ or self._store.make_room(bytes_)

    def _bytes(self, cut: str, seen: Sequence[View]) -> int:
        """Of what is lacking at a cut."""
        lacking = self.lacking(cut, seen)
        return lacking * self._row_bytes(cut) if lacking else 0

    def _row_bytes(self, cut: str) -> int:
        itemsize = np.dtype(self.frozen.key(cut, ORIGINAL).dtype).itemsize
        return math.prod(self.frozen.row_shape(cut)) * itemsize

    def _has(self, split: str, cut: str, view: View) -> bool:
        return not self._missing(split, cut, view)

    def _missing(self, split: str, cut: str, view: View) -> int:
        contents = self._photos[split].contents
        if not self._store.holds(self.frozen.key(cut, view.name)):
            return len(set(contents))
        return len(self.entry(cut, view).missing(contents))

    def _ensure(self, split: str, cut: str, view: View) -> None:
        photos, entry = self._photos[split], self.entry(cut, view)
        missing = len(entry.missing(photos.contents))
        if not missing:
            return
        places = {content: place for place, content in enumerate(photos.contents)}
        start = self._shallower(split, cut, view)
        run, size = self._runner(start, cut, missing * view.total), self._saving.batch
        below = None if start is None else self.entry(start, view).rows(photos.contents)

        def compute(contents: Sequence[str]) -> np.ndarray:
            positions = np.array([places[content] for content in contents])
            parts = [positions[at : at + size] for at in range(0, len(positions), size)]
            computed = []
            for part in parts:
                inputs = view.see(photos, part) if below is None else below.take(part)
                computed.append(run(inputs))
                beat()
            return np.concatenate(computed)

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

    @cached_property
    def _stopwatch(self) -> Stopwatch:
        return Stopwatch(self.frozen, next(self._photos["train"].batches(self._saving.batch)))
