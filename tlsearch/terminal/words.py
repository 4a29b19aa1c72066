"""Values and trials in the words that tables and lines use."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

SHOWN = ("strategy", "unfreeze", "image_size", "head_learning_rate", "learning_rate", "augment")
"""The parameters that have a column, after the backbone."""


def number(value: Any) -> str:
    """A value as short as it can be read: 0.9128, 1.3e-04, -, fine_tune."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if not isinstance(value, float):
        return str(value)
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    return f"{value:.1e}" if abs(value) < 1e-2 else f"{value:.4f}"


def screen(*, stderr: bool = False) -> Console:
    """A console: as wide as the terminal, or wide enough for any table where there is none."""
    console = Console(stderr=stderr, highlight=False)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=200)


def shorter(path: Path) -> Path:
    """The path from here, where that is below here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def counted(count: int, thing: str) -> str:
    """1 epoch, 12 epochs."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def duration(seconds: float | None) -> str:
    """Seconds as 8 s, 2 min 05 s or 1 h 12 min."""
    if seconds is None or math.isnan(seconds):
        return "-"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def configuration(values: Mapping[str, Any]) -> str:
    """A trial's parameters in one line, the backbone first."""
    rest = (f"{name}={number(values[name])}" for name in SHOWN if values.get(name) is not None)
    return " ".join([str(values.get("backbone", "-")), *rest])
