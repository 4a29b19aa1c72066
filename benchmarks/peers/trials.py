"""The lists of trials that every side is given: drawn once, the same on every machine."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

BACKBONES = ("MobileNetV2", "MobileNet")
DEPTHS = (1, 2, 3)
HEAD_RATES = (2e-3, 2e-2)
RATES = (1e-4, 1e-3)
DROPOUTS = (0.1, 0.5)
_SEED = 4


@dataclass(frozen=True)
class Trial:
    """One trial. `unfreeze`, blocks from the top, and `learning_rate` are for fine-tuning."""

    backbone: str
    strategy: str
    augment: str
    head_learning_rate: float
    dropout: float
    unfreeze: int | None = None
    learning_rate: float | None = None

    @property
    def kind(self) -> tuple[str, str, int]:
        """Trials of one kind do the same amount of work."""
        return self.strategy, self.backbone, self.unfreeze or 0

    @property
    def label(self) -> str:
        depth = f" {self.unfreeze}" if self.unfreeze else ""
        return f"{self.strategy}{depth} {self.backbone}"

    def parameters(self) -> dict[str, Any]:
        """Name to value, without those that do not apply."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def feature_extraction(count: int, augment: str = "none") -> list[Trial]:
    """Heads on one frozen backbone that differ in learning rate and dropout."""
    draw = random.Random(_SEED)
    return [_frozen(draw, BACKBONES[0], augment) for _ in range(count)]


def mixed(count: int) -> list[Trial]:
    """A third feature extraction, the rest fine-tuning, over both backbones and all depths."""
    draw = random.Random(_SEED)
    frozen = count // 3
    trials = [_frozen(draw, BACKBONES[i % 2], "light") for i in range(frozen)]
    for i in range(count - frozen):
        depth = DEPTHS[i // 2 % len(DEPTHS)]
        trials.append(_fine_tuned(draw, BACKBONES[i % 2], depth))
    draw.shuffle(trials)
    return trials


def one_of_each() -> list[Trial]:
    """Both strategies on both backbones."""
    draw = random.Random(_SEED)
    frozen = [_frozen(draw, name, "light") for name in BACKBONES]
    return frozen + [_fine_tuned(draw, name, 1) for name in BACKBONES]


def _frozen(draw: random.Random, backbone: str, augment: str) -> Trial:
    rate, dropout = _log_uniform(draw, HEAD_RATES), _uniform(draw, DROPOUTS)
    return Trial(backbone, "feature_extraction", augment, rate, dropout)


def _fine_tuned(draw: random.Random, backbone: str, depth: int) -> Trial:
    head, dropout = _log_uniform(draw, HEAD_RATES), _uniform(draw, DROPOUTS)
    rate = _log_uniform(draw, RATES)
    return Trial(backbone, "fine_tune", "light", head, dropout, depth, rate)


def _log_uniform(draw: random.Random, limits: tuple[float, float]) -> float:
    low, high = limits
    return float(f"{low * (high / low) ** draw.random():.3g}")


def _uniform(draw: random.Random, limits: tuple[float, float]) -> float:
    return round(draw.uniform(*limits), 2)


@dataclass(frozen=True)
class Part:
    """Positions in a list of trials that a side runs, and how many of the list each stands for."""

    positions: tuple[int, ...]
    weights: tuple[int, ...]


def whole(trials: Sequence[Trial]) -> Part:
    """Every trial, each standing for itself."""
    return Part(tuple(range(len(trials))), (1,) * len(trials))


def sample(trials: Sequence[Trial], count: int | None, round_: int = 0) -> Part:
    """`count` trials spread evenly over the kinds; in each round others of the same kinds.

    The trials are put in order of kind and divided into `count` stretches of nearly one length.
    One trial of each stretch is run and stands for all of it.
    """
    if count is None or count >= len(trials):
        return whole(trials)
    order = sorted(range(len(trials)), key=lambda i: (trials[i].kind, i))
    edges = [round(i * len(order) / count) for i in range(count + 1)]
    stretches = [order[a:b] for a, b in pairwise(edges)]
    chosen = sorted((s[(len(s) // 2 + round_) % len(s)], len(s)) for s in stretches)
    return Part(tuple(i for i, _ in chosen), tuple(weight for _, weight in chosen))
