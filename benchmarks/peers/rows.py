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


def memory_rows(measurements: Sequence[Measurement], photos: int) -> list[Row]:
    """Peaks of memory and time per photo of one side, medians over the rounds."""
    name = measurements[0].side
    peaks = [one.memory for one in measurements if one.memory]
    parts = ("total", "anonymous", "file_backed", "largest_rss")
    what = ("sum of PSS", "of it anonymous", "of it file-backed", "largest process' RSS")
    rows = [
        figure(f"{name}: {said}", median(getattr(peak, part) for peak in peaks) / _MIB, "MiB")
        for part, said in zip(parts, what, strict=True)
    ]
    whole = 1e3 * median(one.seconds for one in measurements) / photos
    trials = 1e3 * median(sum(one.trial_seconds) for one in measurements) / photos
    note = f"{photos} photos; {trials:.2f} ms without what is not a trial"
    return [*rows, figure(f"{name}: time per photo", whole, "ms", note)]
