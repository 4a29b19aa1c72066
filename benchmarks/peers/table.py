"""The findings of a benchmark as tables in the terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table


def show(findings: dict[str, Any], console: Console) -> None:
    """One table for each scenario."""
    machine, setting = findings["machine"], findings["setting"]
    console.print(
        f"{machine['cores']} cores, {machine['processor']}; importing Keras and TensorFlow takes "
        f"{machine['import_seconds']:.1f} s. {findings['photos']} photos, "
        f"{setting['image_size']} px, {setting['epochs']} epochs; medians of "
        f"{findings['rounds']} rounds."
    )
    for name, scenario in findings["scenarios"].items():
        console.print(_table(name, scenario["figures"]))


def _table(name: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(title=name, title_justify="left")
    table.add_column("what")
    table.add_column("figure", justify="right", no_wrap=True)
    table.add_column("note")
    for row in rows:
        table.add_row(row["what"], show_value(row["value"], row["unit"]), row["note"])
    return table


def show_value(value: float, unit: str) -> str:
    """A figure with its unit and as many places as it deserves."""
    if not unit:
        return f"{value:.4f}"
    places = 0 if abs(value) >= 1000 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{places}f} {unit}"
