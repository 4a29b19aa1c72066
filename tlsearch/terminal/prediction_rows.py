"""Predictions as CSV, JSON or lines for people: each is written when it comes."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from typing import TextIO

import numpy as np

from serving import Prediction
from tlsearch.terminal.jsonlines import SCHEMA, clean

TOP = 3
"""Classes of a row of CSV."""


def write_csv(stream: TextIO, labels: Sequence[str], predictions: Iterable[Prediction]) -> None:
    """A row a photo: the most probable class, the next ones, or the error."""
    top = min(TOP, len(labels))
    columns = [
        f"{name}_{place}" for place in range(2, top + 1) for name in ("label", "probability")
    ]
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["image", "label", "probability", *columns, "error"])
    for one in predictions:
        writer.writerow([one.source, *_best(one, labels, top), one.error])


def write_json(stream: TextIO, labels: Sequence[str], predictions: Iterable[Prediction]) -> None:
    """What `print_json` prints, an object a photo, but none is kept."""
    stream.write(f'{{"schema": {SCHEMA}, "data": [')
    between = "\n"
    for one in predictions:
        stream.write(between + json.dumps(clean(_record(one, labels))))
        between = ",\n"
    stream.write("\n]}\n")


def write_lines(stream: TextIO, labels: Sequence[str], predictions: Iterable[Prediction]) -> None:
    """A line a photo: class, probability, path."""
    width = max(map(len, labels))
    for one in predictions:
        label = "-" if one.label is None else one.label
        probability = "-" if one.probability is None else f"{one.probability:.4f}"
        remark = f"  ({one.error})" if one.error else ""
        stream.write(f"{label:<{width}}  {probability:<6}  {one.source}{remark}\n")


def _best(one: Prediction, labels: Sequence[str], top: int) -> list[str | float | None]:
    if one.probabilities is None:
        return [None] * (2 * top)
    order = np.argsort(-one.probabilities, kind="stable")[:top]
    return [cell for place in order for cell in (labels[place], float(one.probabilities[place]))]


def _record(one: Prediction, labels: Sequence[str]) -> dict[str, object]:
    if one.probabilities is None:
        return {"image": one.source, "error": one.error}
    probabilities = dict(zip(labels, one.probabilities.tolist(), strict=True))
    return {
        "image": one.source,
        "label": one.label,
        "probability": one.probability,
        "probabilities": probabilities,
    }
