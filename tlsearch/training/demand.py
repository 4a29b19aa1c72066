"""What a sweep's trials are expected to read of frozen backbones, and for how many epochs.

Every choice of the space counts as equally likely, and no trial as ended early: nobody knows better
before the first one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from tlsearch.augmentation.renderer import Renderer, renderer
from tlsearch.backbones.table import default_image_size
from tlsearch.config.combinations import combinations
from tlsearch.config.parameters import FloatRange
from tlsearch.config.schema import Sweep
from tlsearch.training.phases import head_epochs

OWN = "its own"
"""The rendition of trials whose strength hardly any other one has."""
_PARAMETERS = (
    "backbone",
    "image_size",
    "strategy",
    "unfreeze",
    "augment",
    "augment_strength",
    "mixup",
    "cutmix",
    "pooling",
)


@dataclass(frozen=True)
class Reading:
    """What trials share.

    backbone: its label; unfreeze: how many blocks lie above the cut, None for the pooled output;
    pooling: of that, "" below it; rendition: the renderer's name, "" for photos as they are alone.
    """

    backbone: str
    image_size: int
    unfreeze: int | None
    pooling: str
    rendition: str = ""


@dataclass(frozen=True)
class Expected:
    """trials: that read it; epochs: in which they do, all of these trials together."""

    trials: float
    epochs: float


class Demand:
    """Of one sweep.

    Args:
        searched: how many backbones its trials will be spread over, where screening leaves fewer
            than the space has.
    """

    def __init__(self, sweep: Sweep, searched: int | None = None) -> None:
        self._sweep = sweep
        backbones = len(sweep.space.backbone.choices)
        self._trials = sweep.budget.trials * backbones / (searched or backbones)
        self.renderers: dict[str, Renderer | None] = {"": None}
        """By rendition; for `OWN`, one of them."""

    @property
    def views(self) -> int:
        """How many views augmented trials draw from; 1 where each epoch makes its own."""
        views = self._sweep.data.views
        return 1 if views == "online" else views

    @cached_property
    def deepest(self) -> int:
        """How many blocks are unfrozen at most; 0 if none are."""
        found = combinations(self._sweep.space, ("strategy", "unfreeze"))
        depths = (values.get("unfreeze", 0) for values, _ in found if _tunes(values))
        return max(depths, default=0)

    def of(self, reading: Reading) -> Expected:
        """What is expected; at least the one trial that asks."""
        known = self.readings
        own = replace(reading, rendition=OWN)
        alone = Expected(1, self._sweep.train.epochs)
        expected = known.get(reading) or known.get(own, alone)
        trials = expected.trials
        if trials >= 1 and reading in known and reading != own:
            return expected
        return Expected(1, expected.epochs / trials)

    @cached_property
    def readings(self) -> Mapping[Reading, Expected]:
        """All that is stored or might be, in the order of the space."""
        found: dict[Reading, Expected] = {}
        for values, share in self._combinations:
            rendition = self._rendition(values)
            if rendition is None:
                continue
            for reading, epochs in self._phases(values):
                key = replace(reading, rendition=rendition)
                before, trials = found.get(key, Expected(0, 0)), share * self._trials
                found[key] = Expected(before.trials + trials, before.epochs + epochs * trials)
        return found

    @cached_property
    def on_photos(self) -> float:
        """The share of trials that show their whole network photos in every epoch: those that blend
        them, make new renditions of them, or have nothing that is frozen."""
        return sum(
            share
            for values, share in self._combinations
            if values["strategy"] == "from_scratch" or self._rendition(values) is None
        )

    @cached_property
    def _combinations(self) -> list[tuple[dict[str, Any], float]]:
        return combinations(self._sweep.space, _PARAMETERS)

    def _phases(self, values: Mapping[str, Any]) -> Iterator[tuple[Reading, int]]:
        """What a trial reads, one phase after the other, and for how many epochs."""
        if values["strategy"] == "from_scratch":
            return
        train, backbone = self._sweep.train, values["backbone"]
        size = values["image_size"] or default_image_size(backbone.name)
        first = head_epochs(train) if _tunes(values) else train.epochs
        if first:
            yield Reading(backbone.label, size, None, values.get("pooling", "avg")), first
        if _tunes(values):
            yield Reading(backbone.label, size, values.get("unfreeze", 0), ""), train.epochs - first

    def _rendition(self, values: Mapping[str, Any]) -> str | None:
        """None where what an epoch shows cannot have been stored before."""
        if any(_is_on(values.get(blend, 0)) for blend in ("mixup", "cutmix")):
            return None
        strength = values.get("augment_strength", 1.0)
        is_own = isinstance(strength, FloatRange)
        made = renderer(values.get("augment", "none"), strength.high if is_own else strength)
        if made is not None and self._sweep.data.views == "online":
            return None
        if made is None or self.views == 1:
            return ""
        name = OWN if is_own else made.name
        self.renderers.setdefault(name, made)
        return name


def _tunes(values: Mapping[str, Any]) -> bool:
    return values["strategy"] == "fine_tune"


def _is_on(value: Any) -> bool:
    """Whether the alpha of a blend is above 0, as one out of a range is."""
    return isinstance(value, FloatRange) or value > 0
