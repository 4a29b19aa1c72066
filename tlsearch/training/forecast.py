"""What a sweep's trials will find in the activation store, or put there, and why.

The verdicts are those of `Activations`, on the store as it is now; nothing is stored or evicted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tlsearch.backbones.table import default_image_size
from tlsearch.config.schema import BackboneChoice, Sweep
from tlsearch.store.store import ActivationStore
from tlsearch.training.activations import Activations, Saving
from tlsearch.training.demand import OWN, Demand, Expected, Reading
from tlsearch.training.economy import WRITTEN, Prospect, Verdict
from tlsearch.training.frozen import FrozenBackbone, Pooling, frozen_backbone
from tlsearch.training.head import POOLED
from tlsearch.training.photos import Photos
from tlsearch.training.views import views

SPLITS = ("train", "validation")
NOTHING_FROZEN = Verdict(False, "all blocks are unfrozen, so that nothing stays the same")


@dataclass(frozen=True)
class Part:
    """Some of the rows of one entry of the store. split: of the photos; lacking: not stored."""

    entry: str
    split: str
    rows: int
    lacking: int


@dataclass(frozen=True)
class Outlook:
    """What becomes of the outputs that one kind of reading wants.

    cut: None where nothing is frozen, and there are no figures then; expected: by the space, which
    may be less than one trial; sets: how many different ones there will be, more than one where
    trials have renditions of their own.
    """

    reading: Reading
    cut: str | None
    views: int
    expected: Expected
    verdict: Verdict
    prospect: Prospect | None = None
    parts: tuple[Part, ...] = ()
    sets: float = 1.0

    @property
    def rows(self) -> int:
        """Of one set."""
        return sum(part.rows for part in self.parts)

    @property
    def bytes_(self) -> int:
        """Of one set."""
        return self.rows * self.prospect.row_bytes if self.prospect else 0

    @property
    def stored(self) -> int:
        """Rows that are there already."""
        return sum(part.rows - part.lacking for part in self.parts)


@dataclass(frozen=True)
class Totals:
    """Of all that will be stored, each row once.

    bytes_: in all; stored_bytes: of them, what is there already; seconds: to compute and write the
    rest; each_epoch: seconds for what will be computed in every epoch.
    """

    bytes_: float = 0.0
    stored_bytes: float = 0.0
    seconds: float = 0.0
    each_epoch: float = 0.0

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            self.bytes_ + other.bytes_,
            self.stored_bytes + other.stored_bytes,
            self.seconds + other.seconds,
            self.each_epoch + other.each_epoch,
        )


def sizes(sweep: Sweep, backbone: BackboneChoice) -> list[int]:
    """The image sizes that trials give a backbone, in pixels."""
    wanted = sweep.space.image_size.choices
    return list(dict.fromkeys(size or default_image_size(backbone.name) for size in wanted))


def forecast(
    sweep: Sweep,
    demand: Demand,
    frozen: FrozenBackbone,
    photos: Mapping[str, Photos],
    store: ActivationStore,
) -> Iterator[Outlook]:
    """What becomes of one backbone's outputs at one size, in the order of the space.

    Cuts below the pooled output are told with the first pooling of the space alone: they are the
    same for all.

    Args:
        photos: of the train and validation splits.
    """
    saving = Saving(use=sweep.store.use, deepest=demand.deepest, expect=demand.of)
    with Activations(store, frozen, photos, saving) as activations:
        for reading in _readings(sweep, demand, frozen):
            yield _look(activations, demand, reading)


def backbones(sweep: Sweep, policy: str) -> Iterator[FrozenBackbone]:
    """Those of the space at each size and pooling; none is built before it is asked.

    Args:
        policy: the Keras dtype policy.
    """
    poolings: list[Pooling] = sweep.space.pooling.choices
    for backbone in sweep.space.backbone.choices:
        for size in sizes(sweep, backbone):
            for pooling in poolings:
                yield frozen_backbone(backbone, size, pooling, policy)


def add_up(outlooks: Iterable[Outlook]) -> Totals:
    """Count what several readings share once."""
    known: set[tuple[str, str]] = set()
    total = Totals()
    for one in outlooks:
        if one.prospect is None:
            continue
        if not one.verdict.stores:
            total += Totals(each_epoch=one.prospect.computed * one.sets)
            continue
        new = [part for part in one.parts if (part.entry, part.split) not in known]
        known.update((part.entry, part.split) for part in new)
        total += _sum(new, one.prospect, one.sets)
    return total


def add_up_largest(outlooks: Sequence[Outlook], count: int) -> Totals:
    """The same for so many backbones, those that take most: all that screening can leave."""
    of_backbone = defaultdict(list)
    for one in outlooks:
        of_backbone[one.reading.backbone].append(one)
    totals = sorted(map(add_up, of_backbone.values()), key=lambda it: it.bytes_, reverse=True)
    return sum(totals[:count], Totals())


def _sum(parts: Iterable[Part], prospect: Prospect, sets: float) -> Totals:
    rows = sum(part.rows for part in parts)
    lacking = sum(part.lacking for part in parts)
    each = prospect.row_seconds + prospect.row_bytes / WRITTEN
    return Totals(
        rows * prospect.row_bytes * sets,
        (rows - lacking) * prospect.row_bytes * sets,
        lacking * each * sets,
    )


def _readings(sweep: Sweep, demand: Demand, frozen: FrozenBackbone) -> list[Reading]:
    """What is wanted of this backbone, and the cut that is stored first for any of it."""
    first = frozen.pooling == sweep.space.pooling.choices[0]
    wanted = [
        reading
        for reading in demand.readings
        if (reading.backbone, reading.image_size) == (frozen.spec.label, frozen.image_size)
        and (reading.pooling == frozen.pooling or (first and not reading.pooling))
    ]
    if first and demand.deepest and frozen.boundary(demand.deepest):
        below = [replace(one, unfreeze=demand.deepest, pooling="") for one in wanted]
        wanted = list(dict.fromkeys([*wanted, *below]))
    return sorted(wanted, key=_from_input_to_output)


def _from_input_to_output(reading: Reading) -> tuple[bool, bool, int, str]:
    """Photos as they are first, then renditions; equal cuts beside each other."""
    depth = reading.unfreeze or 0
    return bool(reading.rendition), reading.unfreeze is None, -depth, reading.rendition


def _look(activations: Activations, demand: Demand, reading: Reading) -> Outlook:
    expected = demand.readings.get(reading, Expected(0, 0))
    seen = views(demand.renderers[reading.rendition], demand.views)
    frozen = activations.frozen
    cut = POOLED if reading.unfreeze is None else frozen.boundary(reading.unfreeze)
    if cut is None:
        return Outlook(reading, None, len(seen), expected, NOTHING_FROZEN)
    return Outlook(
        reading,
        cut,
        len(seen),
        expected,
        activations.judge(cut, seen),
        activations.prospect(cut, seen),
        tuple(
            Part(frozen.key(cut, view.name).digest, split, rows, lacking)
            for split, view, rows, lacking in activations.holdings(cut, seen)
        ),
        max(1.0, expected.trials) if reading.rendition == OWN else 1.0,
    )
