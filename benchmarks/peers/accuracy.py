"""Whether sharing work changes what is learned: accuracies of the sides, trial by trial."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from peers.bench import Bench, Ours
from peers.figures import compare_to_spread, differences, of_side, seed_spread
from peers.measurement import Measurement
from peers.rows import Row, figure
from peers.trials import Trial, sample, whole


def repeat_with_seeds(bench: Bench, trials: Sequence[Trial]) -> dict[int, list[float]]:
    """Some trials, spread over the kinds, several times each: position to validation accuracies.

    tlsearch seeds a trial by its number, so repeating one in a list repeats it with other seeds.
    """
    times = bench.repeats
    positions = sample(trials, times).positions
    listed = [trials[i] for i in positions for _ in range(times)]
    bench.tell(f"seed to seed: {len(listed)} trials")
    ran = Ours("tlsearch, other seeds").run(bench, listed, whole(listed), 0)
    return {
        position: list(ran.values[times * n : times * (n + 1)])
        for n, position in enumerate(positions)
    }


def best_rows(measurements: Sequence[Measurement], ours: str, peers: Sequence[str]) -> list[Row]:
    """The best validation accuracy of each side, beside ours over the same trials."""
    whole_list = [max(one.values) for one in of_side(measurements, ours)]
    rows = [figure(f"{ours}: best validation accuracy", median(whole_list), "")]
    for peer in peers:
        pairs = _pairs(measurements, peer, ours)
        theirs = median(max(one.values) for one, _ in pairs)
        same = median(_best_on(other, one.part.positions) for one, other in pairs)
        note = f"{ours} on the same {len(pairs[0][0].values)} trials: {same:.4f}"
        rows.append(figure(f"{peer}: best validation accuracy", theirs, "", note))
    return rows


def _best_on(measurement: Measurement, positions: Sequence[int]) -> float:
    values = measurement.value_of()
    return max(values[position] for position in positions)


def _pairs(
    measurements: Sequence[Measurement], one: str, other: str
) -> list[tuple[Measurement, Measurement]]:
    """The measurements of two sides, round by round."""
    return list(zip(of_side(measurements, one), of_side(measurements, other), strict=True))


def against_spread(
    measurements: Sequence[Measurement],
    sides: tuple[str, str],
    trials: Sequence[Trial],
    repeated: dict[int, list[float]],
) -> dict[str, Any]:
    """Each trial's difference between two sides, and the spread from seed to seed."""
    spread = seed_spread(repeated)
    listed = [
        {"round": one.round, "trial": position, "kind": trials[position].label, "points": 100 * gap}
        for one, other in _pairs(measurements, *sides)
        for position, gap in differences(one, other).items()
    ]
    return {
        "sides": sides,
        "repeated": repeated,
        "seed_spread_points": 100 * spread,
        "differences": listed,
        "summary": compare_to_spread([gap["points"] for gap in listed], 100 * spread),
    }


def spread_rows(compared: dict[str, Any]) -> list[Row]:
    """The differences as rows of a table."""
    summary = compared["summary"]
    within = f"{summary['within_limit']} of {summary['compared']}"
    name = " less ".join(compared["sides"])
    return [
        figure("spread from seed to seed", compared["seed_spread_points"], "points", "1 sd"),
        figure(f"{name}: mean difference of a trial", summary["mean"], "points"),
        figure(
            f"{name}: largest difference of a trial",
            summary["largest"],
            "points",
            f"{within} within {summary['limit']:.2f}, what another seed makes in 95 of 100 cases",
        ),
    ]
