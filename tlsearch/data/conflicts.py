"""Photos that are copies of each other, byte by byte, where that spoils a result."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from tlsearch.data.split import Hashed

_SHOWN = 3


def find_conflicts(
    paths: Sequence[str], photos: Sequence[Hashed], places: Sequence[str]
) -> list[str]:
    """Warnings about photos of the same content: in two splits, with two labels, or just twice.

    Args:
        paths: where each photo lies, for the examples in the warnings.
        photos: the readable photos.
        places: the split of each.
    """
    copies = defaultdict(list)
    for row, photo in enumerate(photos):
        copies[photo.content].append(row)
    groups = [rows for rows in copies.values() if len(rows) > 1]
    leaks = [rows for rows in groups if len({places[row] for row in rows}) > 1]
    doubtful = [rows for rows in groups if len({photos[row].label for row in rows}) > 1]
    found = [
        ("in more than one split, which flatters the results", leaks),
        ("with more than one label, of which one is wrong", doubtful),
        ("more than once", groups),
    ]
    return [_warning(what, rows, paths) for what, rows in found if rows]


def _warning(what: str, groups: list[list[int]], paths: Sequence[str]) -> str:
    """The count and the first pairs."""
    pairs = (f"{paths[rows[0]]} = {paths[rows[1]]}" for rows in groups[:_SHOWN])
    more = f", and {len(groups) - _SHOWN} more" if len(groups) > _SHOWN else ""
    return f"{_count(len(groups))} there {what}: {'; '.join(pairs)}{more}"


def _count(count: int) -> str:
    return "one photo is" if count == 1 else f"{count} photos are"
