"""`key=value` from the command line, and keywords from Python, put over a document.

Leaves out whether the keys exist: the schema says so, at the override's own spot.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tlsearch.config.document import Document, KeyPath, Spot
from tlsearch.config.parameters import RANGE_KEYS, RECIPE_BACKBONE, VALUE_KEYS
from tlsearch.config.yaml import parse


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
    mapping = given
    if len(path) == 2 and path[0] == "space":
        mapping = _open_parameter(given, key)
    elif path == RECIPE_BACKBONE:
        mapping = _as_backbone(given)
    if not isinstance(mapping, dict) or mapping is not given:
        document.replace(path, mapping if isinstance(mapping, dict) else {}, spot)


def _open_parameter(given: Any, key: str | int) -> Any:
    """A parameter of the space in the form that has `key`: choices, a range, or one backbone."""
    if key in VALUE_KEYS:
        return _as_backbone(given)
    long = _written_out(given)
    if key == "when" or not isinstance(long, dict):
        return long
    rivals = RANGE_KEYS if key == "choices" else {"choices"} if key in RANGE_KEYS else set()
    if long.keys() & rivals:
        return {name: value for name, value in long.items() if name not in rivals}
    return long


def _written_out(given: Any) -> Any:
    """A parameter in its long form: `{choices: [16]}` for `16`."""
    if given is None or (isinstance(given, dict) and not given.keys() & VALUE_KEYS):
        return given
    return {"choices": given if isinstance(given, list) else [given]}


def _as_backbone(given: Any) -> Any:
    if isinstance(given, str):
        return {"name": given}
    return given if isinstance(given, dict) and given.keys() & VALUE_KEYS else None
