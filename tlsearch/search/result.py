"""What a sweep has found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlsearch.config.schema import Sweep
from tlsearch.search.comparison import Comparison

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class SweepResult:
    """The outcome of a sweep.

    Attributes:
        trials: one row a trial, the best first.
        best: the champion's row.
        bundle: the folder of the exported champion.
        host: the machine that has the bundle, if that is another one.
        comparison: transfer learning against training from scratch, where both were tried.
    """

    sweep: Sweep
    trials: pd.DataFrame
    best: dict[str, Any]
    bundle: Path
    comparison: Comparison | None = None
    host: str | None = None

    def _repr_html_(self) -> str:
        """The leaderboard, for notebooks."""
        return f"<p>{self.sweep.name}: bundle in {self.bundle}</p>{self.trials.to_html()}"
