"""`tlsearch plan`: what a sweep will do, before it does any of it.

Leaves out how it is shown: `plan_tables` does that.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tlsearch.config.loading import load
from tlsearch.config.schema import Sweep
from tlsearch.data.dataset import Dataset, pixel_store, prepare
from tlsearch.execution.local.process import QUIET
from tlsearch.paths import Paths
from tlsearch.progress import bar
from tlsearch.store.store import ActivationStore
from tlsearch.terminal.jsonlines import print_json
from tlsearch.terminal.words import screen
from tlsearch.training.demand import Demand
from tlsearch.training.forecast import SPLITS, Outlook, backbones, forecast, sizes
from tlsearch.training.job import precision
from tlsearch.training.photos import photos


@dataclass(frozen=True, eq=False)
class Plan:
    """What is known before a sweep starts.

    kept: how many backbones are left after screening, or all of them; room: bytes that the store
    could take, free: bytes on its disk.
    """

    sweep: Sweep
    dataset: Dataset
    demand: Demand
    kept: int
    outlooks: tuple[Outlook, ...]
    room: int
    free: int

    @property
    def limit(self) -> int:
        """Bytes that the store may take."""
        return self.sweep.store.limit


def plan_sweep(file: Path, overrides: Sequence[str], *, json: bool) -> None:
    """Print what `tlsearch run` would do; only caches are written: photos, weights, pixels.

    Raises:
        SweepFileError: the sweep file has mistakes.
        DataError: the photos cannot be used.
        SetupError: weights or home are missing.
    """
    from tlsearch.terminal.plan_tables import as_data, print_plan

    sweep = load(file, overrides)
    paths = Paths.from_environment()
    paths.create()
    plan = gather(sweep, paths)
    if json:
        print_json(as_data(plan))
    else:
        print_plan(plan)


def gather(sweep: Sweep, paths: Paths) -> Plan:
    """Read the photos as `run` does, and time the backbones on them."""
    from tlsearch.search.weights import fetch_weights

    fetch_weights(sweep.space)
    space, store = sweep.space, ActivationStore(paths.activations, sweep.store.limit)
    dataset = prepare(sweep.data, paths, sizes(sweep, space.backbone.choices[0])[0])
    kept = _kept(sweep)
    demand = Demand(sweep, kept)
    outlooks = tuple(_look(sweep, dataset, paths, demand, store)) if demand.readings else ()
    return Plan(sweep, dataset, demand, kept, outlooks, store.room(), store.free_on_disk())


def _kept(sweep: Sweep) -> int:
    from tlsearch.search.screening import is_wanted

    count, wanted = len(sweep.space.backbone.choices), sweep.search.screening
    return wanted.keep if wanted is not None and is_wanted(sweep) else count


def _look(
    sweep: Sweep, dataset: Dataset, paths: Paths, demand: Demand, store: ActivationStore
) -> Iterator[Outlook]:
    _silence_tensorflow()
    space = sweep.space
    sized = sum(len(sizes(sweep, one)) for one in space.backbone.choices)
    with _timing(sized * len(space.pooling.choices)) as advance:
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


@contextmanager
def _timing(count: int) -> Iterator:
    """Say on stderr what takes so long."""
    console = screen(stderr=True)
    if not console.is_terminal:
        console.print("timing each backbone on a batch of the photos")
    with bar("timing backbones", count) as advance:
        yield advance
