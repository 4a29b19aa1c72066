"""From measurements to the rows of tables, ready for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from serving_peers.measurement import Measurement, middle, of, ratio
from serving_peers.sides import ALL_OURS, OURS, OURS_IDLE, OURS_INT8

MLFLOW = "mlflow models serve"
_MIB = 2**20
_JUDGED = 16
Row = dict[str, Any]


def side_rows(measurements: Sequence[Measurement], connections: int) -> list[Row]:
    """A row for each side on so many connections, the fastest first."""
    rows = [_side_row(of(measurements, side, connections)) for side in sides_of(measurements)]
    return sorted(rows, key=lambda row: -row["images_per_second"])


def sides_of(measurements: Sequence[Measurement]) -> list[str]:
    """Who was measured, in the order of the first round."""
    return list(dict.fromkeys(one.side for one in measurements))


def claims(measurements: Sequence[Measurement], connections: Sequence[int]) -> list[Row]:
    """What the comparison is for: tlsearch against the limit and against the others."""
    rows = []
    for count in connections:
        ours = of(measurements, OURS, count)
        if ours:
            rows += [_limit_row(ours, count), *_peer_rows(measurements, ours, count)]
            if int8 := of(measurements, OURS_INT8, count):
                rows.append(_row(f"{OURS_INT8} / fp32", count, ratio(int8, ours)))
            if beside := of(measurements, OURS_IDLE, count):
                found = {"median": middle(beside, _p99) / middle(ours, _p99)}
                rows.append(_row(f"p99, {OURS_IDLE} / alone", count, found))
            if count == _JUDGED:
                note = "p99 x images/s / connections"
                rows.append(_row("p99 / ideal", count, {"median": middle(ours, _ideal)}, note))
    return rows


def _side_row(rounds: Sequence[Measurement]) -> Row:
    return {
        "side": rounds[0].side,
        "images_per_second": middle(rounds, lambda one: one.images_per_second),
        "of_limit": middle(rounds, lambda one: one.of_limit),
        "p50_ms": middle(rounds, lambda one: one.p50 * 1000),
        "p99_ms": middle(rounds, lambda one: one.p99 * 1000),
        "over_ideal": middle(rounds, _ideal),
        "cpu_seconds": middle(rounds, lambda one: one.cpu_seconds),
        "rss_mib": middle(rounds, lambda one: one.rss / _MIB),
        "pss_mib": middle(rounds, lambda one: one.pss / _MIB),
        "errors": sum(one.errors for one in rounds),
    }


def _p99(one: Measurement) -> float:
    return one.p99


def _ideal(one: Measurement) -> float:
    return one.over_ideal


def _limit_row(ours: Sequence[Measurement], count: int) -> Row:
    shares = [one.of_limit for one in ours]
    found = {"median": middle(ours, lambda one: one.of_limit)}
    found |= {"smallest": min(shares), "largest": max(shares)}
    return _row("tlsearch / bare loop", count, found)


def _peer_rows(
    measurements: Sequence[Measurement], ours: Sequence[Measurement], count: int
) -> list[Row]:
    peers = [side for side in sides_of(measurements) if side not in ALL_OURS]
    others = {side: of(measurements, side, count) for side in peers}
    ratios = {side: ratio(ours, rounds) for side, rounds in others.items() if rounds}
    if not ratios:
        return []
    best = min(ratios, key=lambda side: ratios[side]["median"])
    rows = [_row(f"tlsearch / {best}", count, ratios[best], "the best peer")]
    if MLFLOW in ratios:
        rows.append(_row(f"tlsearch / {MLFLOW}", count, ratios[MLFLOW]))
    return rows


def _row(what: str, connections: int, found: dict[str, float], note: str = "") -> Row:
    return {"what": what, "connections": connections, "note": note, **found}
