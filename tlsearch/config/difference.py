"""What changed between two sweeps or two recipes, as lines to read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_ABSENT = object()


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """A line for each value that differs: `space.image_size.choices: [160] -> [160, 224]`.

    Mappings are compared key by key, in the order of `new`; a list counts as one value.
    """
    return _compare(old, new, "")


def _compare(old: Any, new: Any, name: str) -> list[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        keys = dict.fromkeys([*new, *old])
        return [line for key in keys for line in _compare_key(old, new, key, name)]
    if old == new and isinstance(old, bool) == isinstance(new, bool):
        return []
    return [f"{name}: {_shown(old)} -> {_shown(new)}"]


def _compare_key(old: Mapping[str, Any], new: Mapping[str, Any], key: str, outer: str) -> list[str]:
    name = f"{outer}.{key}" if outer else str(key)
    return _compare(old.get(key, _ABSENT), new.get(key, _ABSENT), name)


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "(absent)"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
