"""Rows of a scenario's table: what was measured, the figure, its unit, where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from peers.figures import Seconds, median_of, of_side, ratio
from peers.measurement import Measurement

Row = dict[str, Any]
_MIB = 2**20


def figure(what: str, value: float, unit: str, note: str = "") -> Row:
    return {"what": what, "value": value, "unit": unit, "note": note}


def time_rows(measurements: Sequence[Measurement], sides: Sequence[str]) -> list[Row]:
    """Wall clock of each side's whole process, medians over the rounds."""
    return [_time_row(measurements, side) for side in sides]


def _time_row(measurements: Sequence[Measurement], side: str) -> Row:
    seconds = median_of(measurements, side, lambda one: one.whole_seconds)
    before = median_of(measurements, side, lambda one: one.before)
    after = median_of(measurements, side, lambda one: one.after)
    around = f"{before:.1f} s before the first, {after:.1f} s after the last"
    note = f"{extent(of_side(measurements, side)[0])}; {around}"
    return figure(f"{side}: wall clock", seconds, "s", note)


def extent(one: Measurement) -> str:
    """How many trials a figure stands on."""
    ran, stands_for = len(one.values), sum(one.part.weights)
    return f"{stands_for} trials estimated from {ran}" if one.is_estimate else f"{ran} trials"


def ratio_row(
    what: str, measurements: Sequence[Measurement], slow: str, fast: str, seconds: Seconds
) -> Row:
    """How many times as long `slow` takes."""
    found = ratio(measurements, slow, fast, seconds)
    limits = f"{found['smallest']:.2f} to {found['largest']:.2f}"
    notes = [extent(of_side(measurements, slow)[0])]
    if found["smallest"] < found["largest"]:
        notes.append(f"{limits} over the rounds")
    note = "; ".join(notes)
    return {**figure(f"{what}: {slow} / {fast}", found["median"], "x", note), **found}


def memory_rows(measurements: Sequence[Measurement]) -> list[Row]:
    """Peaks of one side's memory, medians over the rounds."""
    name = measurements[0].side
    peaks = [one.memory for one in measurements if one.memory]
    parts = {
        "total": "all processes, sum of PSS",
        "anonymous": "of it anonymous",
        "file_backed": "of it file-backed",
        "largest_rss": "largest process, RSS",
    }
    return [
        figure(
            f"{name}: {said}",
            median(getattr(peak, part) for peak in peaks) / _MIB,
            "MiB",
            "each figure at its own peak",
        )
        for part, said in parts.items()
    ]


def growth_rows(one: Sequence[Measurement], other: Sequence[Measurement], times: int) -> list[Row]:
    """Time per photo of a side that has `times` as many photos, against another one's."""
    kinds: dict[str, Seconds] = {
        "the whole command": lambda it: it.seconds,
        "trials alone": lambda it: sum(it.trial_seconds),
    }
    rows = []
    for said, seconds in kinds.items():
        few, many = (median(seconds(it) for it in side) for side in (one, other))
        note = f"{few:.1f} s, and {many:.1f} s for {times} times as many"
        rows.append(figure(f"time per photo, {said}", many / few / times, "x", note))
    return rows
