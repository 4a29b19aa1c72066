"""`tlsearch backbones` and `tlsearch schema`."""

from __future__ import annotations

import json as json_format

from rich.table import Table

from tlsearch.backbones.table import rows
from tlsearch.terminal.jsonlines import print_json
from tlsearch.terminal.words import screen


def show_backbones(*, json: bool) -> None:
    """Print the table of backbones."""
    listed = rows()
    if json:
        print_json(listed)
        return
    table = Table("backbone", "pixels", "parameters", "ImageNet top-1", "blocks", "alphas")
    for row in listed:
        alphas = ", ".join(f"{alpha:g}" for alpha in row["alphas"])
        figures = (f"{row['parameters']:,}", f"{row['top1']:.1f} %", str(len(row["blocks"])))
        table.add_row(row["name"], str(row["image_size"]), *figures, alphas or "-")
    screen().print(table)


def print_schema() -> None:
    """Print the JSON Schema (draft-07) that editors check sweep files with."""
    from tlsearch.config.json_schema import json_schema

    print(json_format.dumps(json_schema(), indent=2))
