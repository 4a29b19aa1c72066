"""A sweep on a terminal: lines above, a table of what runs and of the best trials below."""

from __future__ import annotations

from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table

from tlsearch.execution.notices import Notice
from tlsearch.terminal.lines import Lines
from tlsearch.terminal.tables import add_row, trials_table
from tlsearch.terminal.words import configuration, duration, number

BEST = 8
"""How many finished trials the live table shows."""


class LiveTable:
    """A notify function that keeps a table up to date. Use it in a `with` block."""

    def __init__(self, console: Console, metric: str) -> None:
        self._lines = Lines(console)
        self._metric = metric
        self._running: dict[int, dict[str, Any]] = {}
        self._ended: list[dict[str, Any]] = []
        self._live = Live(console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> LiveTable:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def __call__(self, notice: Notice) -> None:
        data = notice.data
        if notice.event == "trial_started":
            self._running[data["trial"]] = {**data, "epoch": 0, "value": None, "seconds": None}
        elif notice.event == "trial_resumed":
            self._running[data["trial"]]["epoch"] = data["epoch"]
        elif notice.event == "epoch":
            running = self._running[data["trial"]]
            running |= {"epoch": data["epoch"], "value": data["metrics"].get(self._metric)}
            running["seconds"] = data["seconds"]
        elif notice.event == "trial_ended":
            self._running.pop(data["trial"], None)
            self._ended.append(data)
        self._lines(notice)
        self._live.update(self._render())

    def _render(self) -> RenderableType:
        tables: list[RenderableType] = [self._running_table()] if self._running else []
        valued = [row for row in self._ended if row["value"] is not None]
        if valued:
            sign = 1 if self._metric.endswith("loss") else -1
            best = sorted(valued, key=lambda row: sign * row["value"])[:BEST]
            tables.append(trials_table(best, "best so far"))
        return Group(*tables)

    def _running_table(self) -> Table:
        table = Table("trial", "epoch", self._metric, "an epoch", "configuration", title="running")
        for trial, row in self._running.items():
            cells = (str(row["epoch"]), number(row["value"]), duration(row["seconds"]))
            add_row(table, str(trial), *cells, configuration(row["configuration"]))
        return table
