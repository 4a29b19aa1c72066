"""`key=value` from the command line, and keywords from Python, put over a document.

Leaves out whether the keys exist: the schema says so, at the override's own spot.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tlsearch.config.document import Document, KeyPath, Spot
from tlsearch.config.parameters import RANGE_KEYS
from tlsearch.config.yaml import parse

_VALUE_KEYS = frozenset({"name", "alpha", "weights"})


def apply_overrides(document: Document, overrides: Sequence[str]) -> None:
    """Put each `key=value` over the document; the value is YAML 1.2, the last one wins."""
    for number, text in enumerate(overrides):
        spot = Spot.in_override(number, f"override {text}")
        key, equals, written = text.partition("=")
        if not equals or not all(key.strip().split(".")):
            hint = "write key=value, such as budget.trials=10"
            document.blame(spot, "an override has a key with dots, =, and a value", hint)
            continue
        parsed = parse(written, spot)
        document.mistakes.extend(parsed.mistakes)
        if not parsed.mistakes:
            _put(document, tuple(key.strip().split(".")), parsed.value, spot)


def apply_values(document: Document, values: Mapping[str, Any], after: int) -> None:
    """Put Python values over the document; a dict is merged key by key.

    Args:
        after: how many overrides came before.
    """
    for number, (path, value) in enumerate(_leaves(values, ()), start=after):
        spot = Spot.in_override(number, f"argument {'.'.join(path)}={value!r}")
        _put(document, path, _plain(value), spot)


def _leaves(values: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[Any, Any]]:
    for key, value in values.items():
        inner = (*path, *str(key).split("."))
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, inner)
        else:
            yield inner, value


def _plain(value: Any) -> Any:
    """What YAML could have held: a list for a tuple, text for a path."""
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _put(document: Document, path: KeyPath, value: Any, spot: Spot) -> None:
    if not isinstance(document.value, dict):
        document.value = {}
    for end in range(1, len(path)):
        _open_mapping(document, path[:end], path[end], spot)
    document.replace(path, value, spot)


def _open_mapping(document: Document, path: KeyPath, key: str | int, spot: Spot) -> None:
    """Make what is at `path` a mapping that `key` may be put into."""
    given = document.find(path)
    mapping = _written_out(given) if len(path) == 2 and path[0] == "space" else given
    if len(path) == 2 and path[0] == "space" and isinstance(mapping, dict):
        mapping = _without_rivals(mapping, key)
    if mapping is given and isinstance(given, dict):
        return
    document.replace(path, mapping if isinstance(mapping, dict) else {}, spot)


def _written_out(given: Any) -> Any:
    """A parameter in its long form: `{choices: [16]}` for `16`."""
    if isinstance(given, dict):
        return {"choices": [given]} if "name" in given else given
    if given is None:
        return None
    return {"choices": given if isinstance(given, list) else [given]}


def _without_rivals(mapping: dict[str, Any], key: str | int) -> dict[str, Any]:
    """Choices, a range and a single backbone exclude each other: the key put last decides."""
    forms = (frozenset({"choices"}), RANGE_KEYS, _VALUE_KEYS)
    mine = next((form for form in forms if key in form), None)
    if mine is None or not mapping.keys() & frozenset().union(*forms) - mine:
        return mapping
    stays = mine if mine is _VALUE_KEYS else mine | {"when"}
    return {name: value for name, value in mapping.items() if name in stays}
