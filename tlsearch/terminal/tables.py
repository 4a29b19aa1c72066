"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from tlsearch.terminal.words import SHOWN, duration, number, shorter

COLOURS = {"complete": "green", "pruned": "yellow", "fail": "red", "running": "cyan"}


def add_row(table: Table, *cells: str | Text) -> None:
    """Add a row of what is meant as it stands: names and reasons may look like markup."""
    table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in cells))


def trials_table(rows: Iterable[Mapping[str, Any]], title: str | None = None) -> Table:
    """The leaderboard: rows as `leaderboard.row` makes them, in the order given.

    A parameter that is the same everywhere has no column.
    """
    rows = list(rows)
    known = (*SHOWN, "micro_batch")
    columns = [name for name in known if len({number(row.get(name)) for row in rows}) > 1]
    table = Table(title=title, title_justify="left")
    for name in ("trial", "state", "value", "backbone", *columns, "epochs", "time"):
        right = name in ("trial", "value", "epochs", "time")
        table.add_column(name, justify="right" if right else "left")
    for row in rows:
        colour = COLOURS.get(row["state"], "white")
        cells = [number(row.get(name)) for name in ("value", "backbone", *columns, "epochs")]
        state = Text(row["state"], style=colour)
        add_row(table, str(row["trial"]), state, *cells, duration(row.get("seconds")))
    return table


def failures_table(rows: Iterable[Mapping[str, Any]]) -> Table | None:
    """The failed trials among rows of the leaderboard: class of failure, reason, log file; None
    where none has failed."""
    failed = [row for row in rows if row.get("failure")]
    if not failed:
        return None
    table = Table(title="failed trials", title_justify="left")
    table.add_column("trial", justify="right")
    for name in ("failure", "reason", "log"):
        table.add_column(name, overflow="fold")
    for row in sorted(failed, key=lambda row: row["trial"]):
        first, *_ = str(row["reason"]).splitlines() or ["-"]
        log = row.get("log")
        cells = (str(row["failure"]), first, str(shorter(Path(log))) if log else "-")
        add_row(table, str(row["trial"]), *cells)
    return table


def screening_table(rows: Iterable[Mapping[str, Any]]) -> Table:
    """The ranking of screening: rows as `ScreenedBackbone` has them, the best first."""
    table = Table(title="screening", title_justify="left")
    for name in ("", "backbone", "pixels", "photos", "probe", "ImageNet", "expected", "time"):
        table.add_column(name, justify="left" if name in ("", "backbone") else "right")
    table.add_column("")
    for place, row in enumerate(rows, start=1):
        published = "-" if row["published"] is None else f"{row['published']:.1f} %"
        probe = f"{row['accuracy']:.3f} ± {row['standard_error']:.3f}"
        figures = (str(row["photos"]), probe, published, f"{row['estimate']:.3f}")
        cells = (str(place), row["backbone"], str(row["image_size"]), *figures)
        add_row(table, *cells, duration(row["seconds"]), "; ".join(_notes(row)))
    return table


def _notes(row: Mapping[str, Any]) -> Iterable[str]:
    yield "kept" if row["kept"] else "left out"
    if row["better_below"] is not None:
        yield f"{row['below'][row['better_below']]:.3f} at {row['better_below']}"
