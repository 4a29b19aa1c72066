"""`tlsearch backbones` and `tlsearch schema`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from tlsearch.backbones.table import rows
from tlsearch.terminal.jsonlines import print_json
from tlsearch.terminal.words import screen

_COLUMNS = ("backbone", "pixels", "parameters", "weights", "ImageNet top-1", "blocks", "alphas")
_ORIGINS = {"imagenet": "ImageNet", "builtin": "built in"}


def show_backbones(*, json: bool) -> None:
    """Print the table of backbones."""
    listed = rows()
    if json:
        print_json(listed)
        return
    table = Table(*_COLUMNS)
    for row in listed:
        table.add_row(*_cells(row))
    screen().print(table)


def _cells(row: Mapping[str, Any]) -> list[str]:
    alphas = ", ".join(f"{alpha:g}" for alpha in row["alphas"])
    return [
        row["name"],
        str(row["image_size"]),
        f"{row['parameters']:,}",
        _ORIGINS[row["weights"]],
        "-" if row["top1"] is None else f"{row['top1']:.1f} %",
        str(len(row["blocks"])),
        alphas or "-",
    ]


def print_schema(*, recipe: bool, json: bool = False) -> None:
    """Print the JSON Schema (draft-07) that editors check sweep files, or recipes, with.

    Args:
        json: in the form that all commands with `--json` have.
    """
    from tlsearch.config.json_schema import json_schema, text
    from tlsearch.config.pretraining import Pretraining
    from tlsearch.config.schema import Sweep

    model = Pretraining if recipe else Sweep
    if json:
        print_json(json_schema(model))
    else:
        print(text(model), end="")
