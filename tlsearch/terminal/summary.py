"""What `tlsearch run` ends with, and `tlsearch report` says again: the leaderboard, the champion,
what to type next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serving.bundle import Bundle
from tlsearch.redaction import redact
from tlsearch.search.result import SweepResult
from tlsearch.terminal.sentence import compare_kinds
from tlsearch.terminal.tables import failures_table, trials_table
from tlsearch.terminal.words import number, screen, shorter

if TYPE_CHECKING:
    from tlsearch.export.manifest import Manifest

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
    manifest = _manifest(result)
    next_ = _next_commands(result, manifest is not None, file, overrides)
    for line in [*_verdict(result, manifest), "", *next_]:
        console.print(redact(line), markup=False, highlight=False, soft_wrap=True)


def as_data(result: SweepResult) -> dict[str, Any]:
    """All but the leaderboard, for JSON. test: the champion's metrics, once it was delivered."""
    manifest = _manifest(result)
    score = manifest.metrics.test if manifest else None
    return {
        "name": result.sweep.name,
        "metric": result.sweep.objective.metric,
        "states": result.trials["state"].value_counts().to_dict(),
        "champion": result.best,
        "test": score.model_dump(mode="json") if score else None,
        "comparison": result.comparison.as_dict() if result.comparison else None,
        "bundle": str(result.bundle) if manifest or result.host else None,
        "host": result.host,
    }


def _manifest(result: SweepResult) -> Manifest | None:
    """Of the champion's bundle, if it was made and lies here; another trial's is an older one."""
    if result.host is not None or not result.bundle.is_dir():
        return None
    manifest = Bundle.open(result.bundle).manifest
    return manifest if manifest.run.trial == result.best["trial"] else None


def _verdict(result: SweepResult, manifest: Manifest | None) -> list[str]:
    if result.host is not None:
        return [
            f"champion: trial {result.best['trial']}, "
            f"{result.sweep.objective.metric} {number(result.best['value'])}",
            *compare_kinds(result),
            f"bundle: {result.bundle} on {result.host}, which has delivered it",
        ]
    best = result.best
    if manifest is None:
        return [
            f"best so far: trial {best['trial']}, "
            f"{result.sweep.objective.metric} {number(best['value'])}",
            "no bundle of it yet: running the sweep to its end makes one",
        ]
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


def _next_commands(
    result: SweepResult, has_bundle: bool, file: Path, overrides: Sequence[str]
) -> list[str]:
    sweep = shlex.join([str(file), *overrides])
    bundle = shlex.quote(str(shorter(result.bundle)))
    return [
        "next:",
        "  tlsearch ui                       compare the trials in MLflow",
        f"  tlsearch trials {sweep}",
        *([f"  tlsearch predict {bundle} PHOTO..."] if has_bundle else []),
    ]
