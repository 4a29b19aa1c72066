"""The findings as tables in the terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

_COLUMNS = {
    "images_per_second": "img/s",
    "of_limit": "/limit",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "over_ideal": "/ideal",
    "cpu_seconds": "CPU s",
    "rss_mib": "RSS",
    "errors": "errors",
}
_LEGEND = (
    "/limit: images/s against the bare loop; /ideal: p99 against connections / (images/s); "
    "CPU s: for 1,000 images; RSS: MiB of all its processes."
)


def show(findings: dict[str, Any], console: Console) -> None:
    """A table for each number of connections, the sides, the claims, the dependencies."""
    if "load" in findings:
        _show_speed(findings, console)
    if findings.get("dependencies"):
        console.print(_dependencies(findings["dependencies"]))


def _show_speed(findings: dict[str, Any], console: Console) -> None:
    machine, limit = findings["machine"], findings["limit"]
    console.print(
        f"{machine['cores']} cores, {machine['processor']}; {findings['engine']}; server on core "
        f"{machine['server_core']}, {findings['load']} on core {machine['load_core']} "
        f"(its ceiling {findings['ceiling']:,.0f} requests/s). Bare loop: "
        f"{limit['images_per_second']:,.0f} images/s in batches of {limit['batch']}. "
        f"Medians of {findings['rounds']} rounds of {findings['seconds']:g} s.",
        highlight=False,
    )
    for connections, rows in findings["tables"].items():
        console.print(_speeds(connections, rows))
    console.print(_LEGEND, highlight=False)
    console.print(_sides(findings["sides"]))
    console.print(_claims(findings["claims"]))


def _speeds(connections: str, rows: list[dict[str, Any]]) -> Table:
    table = _table(f"{connections} connections", "side", *_COLUMNS.values())
    for row in rows:
        shown = [_show(row[key]) for key in _COLUMNS]
        table.add_row(row["side"], *shown)
    return table


def _sides(sides: list[dict[str, Any]]) -> Table:
    table = _table("sides", "side", "version", "wire", "settings")
    for side in sides:
        told = side.get("failure") or side["settings"]
        table.add_row(side["side"], side.get("version", ""), side["wire"], told)
    return table


def _claims(claims: list[dict[str, Any]]) -> Table:
    table = _table("claims", "what", "connections", "median", "rounds", "note")
    for row in claims:
        limits = f"{row['smallest']:.2f}-{row['largest']:.2f}" if "smallest" in row else ""
        table.add_row(
            row["what"], str(row["connections"]), f"{row['median']:.3f}", limits, row["note"]
        )
    return table


def _dependencies(rows: list[dict[str, Any]]) -> Table:
    table = _table(
        "beside onnxruntime, numpy and Pillow",
        "side",
        "packages",
        "MiB installed",
        "import s",
        "note",
    )
    for row in rows:
        if "failure" in row:
            table.add_row(row["side"], "", "", "", row["failure"])
            continue
        figures = [f"{row['mib']:.1f}", f"{row['import_seconds']:.2f}"]
        table.add_row(row["side"], str(row["packages"]), *figures, row["imports"])
    return table


def _show(value: float) -> str:
    """Three places that say something."""
    if isinstance(value, int):
        return f"{value:,}"
    size = abs(value)
    return f"{value:,.{0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3}f}"


def _table(title: str, *columns: str) -> Table:
    """So narrow that it fits where the output goes to a file."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right", no_wrap=number == 0)
    return table
