"""Which folder a relative path in a file starts at, and what the environment says of places."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from tlsearch.config.backbone_check import MODEL_FILE, WEIGHTS_FILES, backbones
from tlsearch.config.document import Document, KeyPath, Spot

_VARIABLES: dict[str, KeyPath] = {
    "MLFLOW_TRACKING_URI": ("tracking", "uri"),
    "TLSEARCH_STORAGE": ("search", "storage"),
}
"""Each wins over the file and loses to an override."""
_PLACES: tuple[KeyPath, ...] = (("data", "source"), ("probe", "source"), ("output", "path"))
_ADDRESS = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+://|generated:|kerashub:)")


def resolve_paths(document: Document, start: Path) -> None:
    """Make relative paths absolute: they start at `start`.

    Addresses, `generated:` and `kerashub:` stay as they are.
    """
    for path in _paths(document):
        _swap(document, path, absolute(document.find(path), start))


def absolute(text: str, start: Path) -> str:
    """`text` as an absolute path; an address, and what can be no path, as it is."""
    if _ADDRESS.match(text):
        return text
    try:
        return str((start / Path(text).expanduser()).resolve())
    except (RuntimeError, ValueError):  # `~` of a user that is not there; a null character
        return text


def apply_environment(document: Document, sections: Collection[str]) -> None:
    """Put the addresses of the environment over those of the file; overrides win over both.

    Args:
        sections: that a document of this kind has.
    """
    for variable, path in _VARIABLES.items():
        address = os.environ.get(variable)
        if address and path[0] in sections:
            _put_unless_overridden(document, path, address, Spot.in_environment(variable))


def _put_unless_overridden(document: Document, path: KeyPath, value: str, spot: Spot) -> None:
    section = document.find(path[:1])
    given = isinstance(section, dict) and path[1] in section
    if given and document.value_spot(path).is_override:
        return
    if section is None:
        document.replace(path[:1], {}, spot)
    if section is None or isinstance(section, dict):
        document.replace(path, value, spot)


def _paths(document: Document) -> Iterator[KeyPath]:
    for place in _PLACES:
        if isinstance(document.find(place), str) and document.find(place):
            yield place
    for path, choice in backbones(document):
        yield from _files_of(path, choice)


def _files_of(path: KeyPath, choice: Any) -> Iterator[KeyPath]:
    keys = choice if isinstance(choice, dict) else {}
    name, weights = keys.get("name", choice), keys.get("weights")
    if isinstance(name, str) and name.endswith(MODEL_FILE):
        yield (*path, "name") if keys else path
    if isinstance(weights, str) and weights.endswith(WEIGHTS_FILES):
        yield (*path, "weights")


def _swap(document: Document, path: KeyPath, value: Any) -> None:
    *parents, last = path
    node = document.value
    for step in parents:
        node = node[step]
    node[last] = value
