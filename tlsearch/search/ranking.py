"""The arithmetic of screening: who is measured on how many photos, and what that says of whom."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

GROWTH = 3
"""Each rung of the halving looks at so many times the photos of the one before."""
PRIOR_PHOTOS = 100
"""How many photos the published accuracy counts as much as. In logits, accuracies on other data
scatter by about 0.3 around the line that ImageNet's predict (Kornblith et al., "Do Better ImageNet
Models Transfer Better?", CVPR 2019); with nine photos in ten right, 100 photos say as much."""
DOUBT = 0.05
"""Two candidates are told apart where chance would differ as much less often than this."""


@dataclass(frozen=True)
class Rung:
    """One round of the halving: how many candidates are measured, on how many photos."""

    candidates: int
    photos: int


def rungs(candidates: int, keep: int, first: int, total: int) -> list[Rung]:
    """Successive halving (Jamieson & Talwalkar 2016): the better half goes on to more photos.

    It ends once no more than `keep` would go on: those are decided.

    Args:
        first: photos of the first rung; total: how many there are.
    """
    found = [Rung(candidates, min(first, total))]
    while (left := max(keep, math.ceil(found[-1].candidates / 2))) > keep:
        if found[-1].photos == total:
            break
        found.append(Rung(left, min(GROWTH * found[-1].photos, total)))
    return found


def accuracy(right: np.ndarray) -> float:
    """The share of photos that were classified right: bool [n]."""
    return float(np.mean(right))


def standard_error(right: np.ndarray) -> float:
    """Of that share."""
    share = smoothed(right)
    return math.sqrt(share * (1 - share) / len(right))


def smoothed(right: np.ndarray) -> float:
    """The share with one photo more that is half right, so that its logit is finite."""
    return (float(np.sum(right)) + 0.5) / (len(right) + 1)


def estimate(measured: Sequence[np.ndarray], published: Sequence[float | None]) -> list[float]:
    """The accuracy of each candidate, by its probe and by what was published of it.

    Both are averaged in logits, the probe's counting its photos and the published one
    `PRIOR_PHOTOS`. Only differences between published accuracies matter: their mean is moved to
    that of the same candidates' probes, because another task is harder or easier as a whole. A
    candidate of which nothing was published is judged by its probe alone.

    Args:
        measured: which of the same photos each probe classified right, bool [n].
        published: ImageNet top-1 accuracies, in percent.
    """
    probes = [logit(smoothed(right)) for right in measured]
    pairs = [(p, logit(top / 100)) for p, top in zip(probes, published, strict=True) if top]
    shift = float(np.mean([probe - prior for probe, prior in pairs])) if pairs else 0.0
    priors = [None if top is None else logit(top / 100) + shift for top in published]
    weight = PRIOR_PHOTOS / (PRIOR_PHOTOS + len(measured[0]))
    return [
        expit(probe if prior is None else (1 - weight) * probe + weight * prior)
        for probe, prior in zip(probes, priors, strict=True)
    ]


def order(estimates: Sequence[float], accuracies: Sequence[float]) -> list[int]:
    """Positions, the best first; on a tie the better probe, then the one that was named first."""
    return sorted(range(len(estimates)), key=lambda i: (-estimates[i], -accuracies[i], i))


def are_told_apart(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether the same photos are evidence of a difference: McNemar's exact test, two-sided.

    Args:
        one, other: which photos each classified right, bool; the first of the longer are those of
            the shorter.
    """
    from scipy.stats import binomtest

    shared = min(len(one), len(other))
    only_one = int(np.sum(one[:shared] & ~other[:shared]))
    only_other = int(np.sum(other[:shared] & ~one[:shared]))
    if only_one + only_other == 0:
        return False
    return bool(binomtest(only_one, only_one + only_other).pvalue < DOUBT)


def logit(share: float) -> float:
    """The logarithm of its odds; share: above 0 and below 1."""
    return math.log(share / (1 - share))


def expit(value: float) -> float:
    """The share that has this logit."""
    return 1 / (1 + math.exp(-value))
