"""The sentence that a sweep ends with where transfer learning competed with the baseline."""

from __future__ import annotations

from tlsearch.search.comparison import Comparison, Contender
from tlsearch.search.leaderboard import BASELINE
from tlsearch.search.result import SweepResult
from tlsearch.terminal.words import counted, duration


def compare_kinds(result: SweepResult) -> list[str]:
    """The sentence, or why there is none; nothing where the space has but one kind."""
    if result.comparison is not None:
        return [describe(result.comparison)]
    wanted = {strategy == BASELINE for strategy in result.sweep.space.strategy.choices}
    complete = result.trials[result.trials["state"] == "complete"]
    found = {strategy == BASELINE for strategy in complete["strategy"]}
    if len(wanted) == 2 and len(found) == 1:
        lacking = "with transfer learning" if True in found else "from scratch"
        return [f"no trial {lacking} is complete, so there is nothing to compare with"]
    return []


def describe(comparison: Comparison) -> str:
    """Both test accuracies and what they cost, which is better, and what speaks against it."""
    transfer, baseline = comparison.transfer, comparison.baseline
    return (
        f"transfer learning ({_name(transfer, baseline)}) reaches {transfer.accuracy:.3f} "
        f"on the test photos {_cost(transfer)}; "
        f"from scratch ({_name(baseline, transfer)}) {baseline.accuracy:.3f} "
        f"{_cost(baseline)}: {_verdict(comparison)}"
    )


def _name(side: Contender, other: Contender) -> str:
    """The trial, with its strategy if there are several and its backbone if it differs."""
    names = [] if side.strategy == BASELINE else [side.strategy]
    names += [] if side.backbone == other.backbone else [side.backbone]
    return ", ".join([*filter(None, [" of ".join(names)]), f"trial {side.trial}"])


def _cost(side: Contender) -> str:
    return f"after {counted(side.epochs, 'epoch')} in {duration(side.seconds)}"


def _verdict(comparison: Comparison) -> str:
    points = round(comparison.points, 1)
    better = "transfer learning" if points > 0 else "from scratch"
    words = f"{better} is {abs(points):.1f} points better" if points else "neither is better"
    if not comparison.is_at_equal_epochs:
        words += ", at unequal epochs"
    if comparison.overlaps:
        words += "; the 95 % intervals overlap: more photos would tell"
    return words
