"""JSON on stdout: one object a command, or one a line while a sweep runs."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tlsearch.execution.notices import Notice
from tlsearch.redaction import redact_values

SCHEMA = 1


def print_json(data: Any) -> None:
    """What a reading command prints with --json."""
    print(json.dumps({"schema": SCHEMA, "data": redact_values(clean(data))}, indent=2))


def print_notice(notice: Notice) -> None:
    """One event of a running sweep, on one line."""
    line = {"schema": SCHEMA, "event": notice.event, **clean(notice.data)}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def clean(value: Any) -> Any:
    """The value in what JSON has: NaN and infinity become null, paths text, NumPy's plain."""
    if isinstance(value, Mapping):
        return {str(key): clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    item = getattr(value, "item", None)
    return clean(item()) if callable(item) else value
