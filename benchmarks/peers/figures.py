"""The arithmetic of the comparison: medians, ratios, differences and spreads."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, median, stdev
from typing import Any

from peers.measurement import Measurement

NORMAL_95 = 1.96
Seconds = Callable[[Measurement], float]


def of_side(measurements: Sequence[Measurement], side: str) -> list[Measurement]:
    """The measurements of one side, by round."""
    return sorted((m for m in measurements if m.side == side), key=lambda m: m.round)


def median_of(measurements: Sequence[Measurement], side: str, seconds: Seconds) -> float:
    """The median of the rounds."""
    return median(seconds(one) for one in of_side(measurements, side))


def ratio(
    measurements: Sequence[Measurement], slow: str, fast: str, seconds: Seconds
) -> dict[str, float]:
    """How many times as long `slow` takes as `fast`: the median of the rounds' ratios, the
    smallest and the largest. Both sides of a round ran one after the other."""
    pairs = zip(of_side(measurements, slow), of_side(measurements, fast), strict=True)
    ratios = [seconds(one) / seconds(other) for one, other in pairs]
    return {"median": median(ratios), "smallest": min(ratios), "largest": max(ratios)}


def seed_spread(repeated: Mapping[int, Sequence[float]]) -> float:
    """The standard deviation from seed to seed, pooled over the trials that were repeated.

    Args:
        repeated: position of a trial to its values, at least two, one for each seed.
    """
    variances = [(stdev(values) ** 2, len(values) - 1) for values in repeated.values()]
    freedom = sum(degrees for _, degrees in variances)
    return math.sqrt(sum(variance * degrees for variance, degrees in variances) / freedom)


def differences(one: Measurement, other: Measurement) -> dict[int, float]:
    """Accuracy of `one` less that of `other`, by position, for the trials that both ran."""
    first, second = one.value_of(), other.value_of()
    return {
        position: first[position] - second[position]
        for position in sorted(first.keys() & second.keys())
    }


def compare_to_spread(values: Sequence[float], spread: float) -> dict[str, Any]:
    """Whether differences of single runs are what another seed makes too.

    Two runs that differ by the seed alone differ by the spread times the root of two (one standard
    deviation), and in 95 of 100 cases by less than 1.96 times that.
    """
    limit = NORMAL_95 * math.sqrt(2) * spread
    return {
        "mean": fmean(values),
        "largest": max(map(abs, values)),
        "limit": limit,
        "within_limit": sum(abs(value) <= limit for value in values),
        "compared": len(values),
    }
