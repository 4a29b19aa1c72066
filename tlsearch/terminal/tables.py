"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.table import Table

from tlsearch.terminal.words import SHOWN, duration, number

COLOURS = {"complete": "green", "pruned": "yellow", "fail": "red", "running": "cyan"}


def trials_table(rows: Iterable[Mapping[str, Any]], title: str | None = None) -> Table:
    """The leaderboard: rows as `leaderboard.row` makes them, in the order given.

    A parameter that is the same everywhere has no column.
    """
    rows = list(rows)
    columns = [name for name in SHOWN if len({number(row.get(name)) for row in rows}) > 1]
    table = Table(title=title, title_justify="left")
    for name in ("trial", "state", "value", "backbone", *columns, "epochs", "time"):
        right = name in ("trial", "value", "epochs", "time")
        table.add_column(name, justify="right" if right else "left")
    for row in rows:
        colour = COLOURS.get(row["state"], "white")
        cells = [number(row.get(name)) for name in ("value", "backbone", *columns, "epochs")]
        state = f"[{colour}]{row['state']}[/]"
        table.add_row(str(row["trial"]), state, *cells, duration(row.get("seconds")))
    return table
