"""What a sweep will do, found out before it does any of it.

Photos, weights and pixels come to their caches, and backbones are timed; no trial is asked for.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass

from tlsearch.config.schema import Sweep
from tlsearch.data.dataset import Dataset, pixel_store
from tlsearch.errors import StudyMismatchError
from tlsearch.execution.local.process import QUIET
from tlsearch.execution.notices import Notice, Notify, ignore
from tlsearch.paths import Paths
from tlsearch.progress import bar
from tlsearch.search.photos import prepare_photos
from tlsearch.search.screened import ScreeningResult
from tlsearch.search.screening import is_wanted
from tlsearch.search.space import searched
from tlsearch.search.study import SweepStudy
from tlsearch.search.weights import fetch_weights
from tlsearch.store.store import ActivationStore
from tlsearch.training.activations import open_store
from tlsearch.training.demand import Demand
from tlsearch.training.forecast import (
    SPLITS,
    Outlook,
    Totals,
    add_up,
    add_up_largest,
    backbones,
    forecast,
    sizes,
)
from tlsearch.training.job import precision
from tlsearch.training.phases import head_epochs
from tlsearch.training.photos import photos


@dataclass(frozen=True, eq=False)
class Plan:
    """What is known before a sweep goes on.

    Args:
        sweep: its space as a screening of its study has narrowed it.
        screening: what that found; None where nothing was screened yet.
        kept: how many backbones will be searched.
        searched: the parameters that have more than one value.
        head_epochs: of a trial that fine-tunes, how many train the head alone.
        outlooks: of each kind of reading, in the order of the space; none where every trial runs
            its whole network on photos.
        total: of what will be stored; where screening is to come, of the `kept` that take most.
        on_photos: the share of trials that run their whole network on photos in every epoch.
        room: bytes that the store could take; free: bytes on its disk.
        warnings: what the user should know beside that.
    """

    sweep: Sweep
    dataset: Dataset
    screening: ScreeningResult | None
    kept: int
    searched: tuple[str, ...]
    head_epochs: int
    outlooks: tuple[Outlook, ...]
    total: Totals
    on_photos: float
    room: int
    free: int
    warnings: tuple[str, ...]

    @property
    def limit(self) -> int:
        """Bytes that the store may take."""
        return self.sweep.store.limit

    @property
    def is_to_be_screened(self) -> bool:
        """Whether fewer backbones will be searched than the space has."""
        return self.kept < len(self.sweep.space.backbone.choices)


def make_plan(sweep: Sweep, paths: Paths, notify: Notify = ignore) -> Plan:
    """Read the photos as `run` does, and time the backbones on them.

    Args:
        notify: is told before something takes long.

    Raises:
        DataError: the photos cannot be used.
        SetupError: weights, home or the study's database are missing.
    """
    screening, warnings = _screened(sweep, paths)
    sweep = screening.narrow(sweep) if screening else sweep
    fetch_weights(sweep.space)
    dataset = prepare_photos(sweep, paths)
    store = open_store(sweep, paths)
    kept = len(sweep.space.backbone.choices) if screening else _kept(sweep)
    demand = Demand(sweep, kept)
    outlooks: tuple[Outlook, ...] = ()
    if demand.readings:
        outlooks = tuple(_look(sweep, dataset, paths, demand, store, notify))
    tunes = "fine_tune" in sweep.space.strategy.choices
    return Plan(
        sweep=sweep,
        dataset=dataset,
        screening=screening,
        kept=kept,
        searched=tuple(searched(sweep.space)),
        head_epochs=head_epochs(sweep.train) if tunes else 0,
        outlooks=outlooks,
        total=add_up_largest(outlooks, kept) if kept < _backbones(sweep) else add_up(outlooks),
        on_photos=demand.on_photos,
        room=store.room(),
        free=store.free_on_disk(),
        warnings=(*warnings, *dataset.warnings),
    )


def _screened(sweep: Sweep, paths: Paths) -> tuple[ScreeningResult | None, list[str]]:
    """What the sweep's study has screened, and what is wrong with the study."""
    try:
        study = SweepStudy.find(sweep, paths)
    except StudyMismatchError as error:
        return None, [f"`tlsearch run` will refuse this: {error.what}"]
    return (study.screening if study else None), []


def _backbones(sweep: Sweep) -> int:
    return len(sweep.space.backbone.choices)


def _kept(sweep: Sweep) -> int:
    wanted = sweep.search.screening
    return wanted.keep if wanted is not None and is_wanted(sweep) else _backbones(sweep)


def _look(
    sweep: Sweep,
    dataset: Dataset,
    paths: Paths,
    demand: Demand,
    store: ActivationStore,
    notify: Notify,
) -> Iterator[Outlook]:
    _silence_tensorflow()
    space = sweep.space
    sized = sum(len(sizes(sweep, one)) for one in space.backbone.choices)
    count = sized * len(space.pooling.choices)
    notify(Notice("timing", {"prefixes": count}))
    with bar("timing backbones", count) as advance:
        for frozen in backbones(sweep, precision(sweep.train.precision)):
            pixels = pixel_store(paths, frozen.image_size)
            pixels.add(dataset.files)
            splits = {split: photos(dataset, split, pixels) for split in SPLITS}
            yield from forecast(sweep, demand, frozen, splits, store)
            advance(1)


def _silence_tensorflow() -> None:
    """Before it is imported. That each prefix is traced is no mistake here."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
