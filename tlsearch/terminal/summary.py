"""What `tlsearch run` ends with: the leaderboard, the champion, what to type next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from serving.bundle import Bundle
from tlsearch.redaction import redact
from tlsearch.search.result import SweepResult
from tlsearch.terminal.sentence import compare_kinds
from tlsearch.terminal.tables import failures_table, trials_table
from tlsearch.terminal.words import number, screen, shorter

ROWS = 15
"""How many trials the closing leaderboard shows."""


def print_summary(result: SweepResult, file: Path, overrides: Sequence[str]) -> None:
    """Print it to stdout."""
    console = screen()
    metric = result.sweep.objective.metric
    table = result.trials.astype(object).where(result.trials.notna(), None)
    rows = table.to_dict(orient="records")
    console.print(trials_table(rows[:ROWS], f"{result.sweep.name}: {metric}"))
    if len(rows) > ROWS:
        console.print(f"... and {len(rows) - ROWS} more")
    if (failed := failures_table(rows)) is not None:
        console.print(failed)
    for line in [*_verdict(result), "", *_next_commands(result, file, overrides)]:
        console.print(redact(line), markup=False, highlight=False, soft_wrap=True)


def _verdict(result: SweepResult) -> list[str]:
    if result.host is not None:
        return [
            f"champion: trial {result.best['trial']}, "
            f"{result.sweep.objective.metric} {number(result.best['value'])}",
            *compare_kinds(result),
            f"bundle: {result.bundle} on {result.host}, which has delivered it",
        ]
    manifest = Bundle.open(result.bundle).manifest
    best = result.best
    lines = [
        f"champion: trial {best['trial']}, {manifest.backbone} {manifest.strategy}, "
        f"{result.sweep.objective.metric} {number(best['value'])}"
    ]
    test = manifest.metrics.test
    if test is not None:
        low, high = test.others["accuracy_low"], test.others["accuracy_high"]
        lines.append(
            f"test accuracy {test.accuracy:.4f} (95 % interval {low:.3f} to {high:.3f}, "
            f"{test.photos} photos, through the ONNX model)"
        )
    return [*lines, *compare_kinds(result), f"bundle: {result.bundle}"]


def _next_commands(result: SweepResult, file: Path, overrides: Sequence[str]) -> list[str]:
    sweep = shlex.join([str(file), *overrides])
    bundle = shlex.quote(str(shorter(result.bundle)))
    return [
        "next:",
        "  tlsearch ui                       compare the trials in MLflow",
        f"  tlsearch trials {sweep}",
        *([] if result.host else [f"  tlsearch predict {bundle} PHOTO..."]),
    ]
