"""The ranking of screening where people look for it: a table among the tracker's files, metrics."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from tlsearch.search.screened import ScreeningResult
from tlsearch.tracking.replay import marker

if TYPE_CHECKING:
    from tlsearch.search.recorder import Recorder


class ScreeningReport:
    """Brings the ranking to the sweep's run, once for each run.

    Args:
        folder: of the sweep.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "screening"

    def track(self, result: ScreeningResult, recorder: Recorder, run: str | None) -> None:
        """Have it told, unless this run of the sweep has it; a sweep that was killed catches up
        when it runs again."""
        has_it = marker(self._folder)
        if has_it.is_file() and has_it.read_text(encoding="utf-8") == run:
            return
        recorder.note(None, metrics(result), {"tlsearch.screening": ", ".join(result.kept)})
        recorder.files(None, self._write(result), "screening")

    def _write(self, result: ScreeningResult) -> Path:
        """`screening.json` with all of it, `screening.csv` with the table; their folder."""
        import pandas as pd

        self._folder.mkdir(parents=True, exist_ok=True)
        stored = result.as_dict()
        text = json.dumps(stored, indent=1)
        (self._folder / "screening.json").write_text(text, encoding="utf-8")
        table = pd.DataFrame(stored["rows"]).drop(columns="below")
        table.to_csv(self._folder / "screening.csv", index=False)
        return self._folder


def metrics(result: ScreeningResult) -> dict[str, float]:
    """What each backbone's probe reached, and what all of it took."""
    found = {f"screening_accuracy/{_name(row.backbone)}": row.accuracy for row in result.rows}
    return {**found, "screening_seconds": result.seconds}


def _name(backbone: str) -> str:
    """A label in the characters that MLflow allows in the name of a metric."""
    return re.sub(r"[^\w.]+", " ", backbone).strip()
