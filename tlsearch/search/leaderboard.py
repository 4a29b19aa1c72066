"""The trials of a sweep as a table, the best first."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from optuna.trial import FrozenTrial, TrialState

from tlsearch.config.schema import Objective

if TYPE_CHECKING:
    import pandas as pd

BASELINE = "from_scratch"
"""The strategy that the others, all of them transfer learning, are compared with."""

RESULT = "result"
"""The user attribute that has how a trial ended."""

FACTS = (
    "best_epoch",
    "epochs",
    "seconds",
    "photos_per_second",
    "trainable_parameters",
    "micro_batch",
)
"""`micro_batch`: how many photos a trial for which memory had run out was shown at a time."""


def row(trial: FrozenTrial) -> dict[str, Any]:
    """One trial, JSON-friendly: number, state, value (None without a result), configuration,
    facts, and for a failure its class, reason and log file."""
    attributes = facts(trial)
    return {
        "trial": trial.number,
        "state": trial.state.name.lower(),
        "value": attributes.get("best_value"),
        **attributes.get("configuration", {}),
        **{name: attributes.get(name) for name in FACTS},
        "failure": attributes.get("failure"),
        "reason": attributes.get("reason"),
        "log": attributes.get("log"),
    }


def facts(trial: FrozenTrial) -> dict[str, Any]:
    """What is known of a trial: its configuration, and how it ended if it has."""
    return {**trial.user_attrs, **trial.user_attrs.get(RESULT, {})}


def leaderboard(trials: Iterable[FrozenTrial], objective: Objective) -> pd.DataFrame:
    """All trials, a row each: complete ones by value, then pruned, failed and running ones."""
    import pandas as pd

    order = [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING]
    ranked = sorted(trials, key=lambda t: (order.index(t.state), *merit(t, objective)))
    return pd.DataFrame([row(trial) for trial in ranked])


def merit(trial: FrozenTrial, objective: Objective) -> tuple[float, float, int]:
    """A sort key, best first: the objective, on a tie the validation loss, then the number."""
    found = facts(trial)
    value = found.get("best_value")
    if value is None or not math.isfinite(value):
        return (float("inf"), float("inf"), trial.number)
    sign = -1 if objective.direction == "maximize" else 1
    loss = found.get("metrics", {}).get("val_loss", float("inf"))
    return (sign * value, loss, trial.number)


def champion(trials: Iterable[FrozenTrial], objective: Objective) -> FrozenTrial | None:
    """The best complete trial. A pruned one is never chosen: it was given up; nor is a NaN."""
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    finite = [trial for trial in complete if math.isfinite(merit(trial, objective)[0])]
    return min(finite, key=lambda trial: merit(trial, objective), default=None)


def rival(trials: Iterable[FrozenTrial], objective: Objective) -> FrozenTrial | None:
    """What the champion is compared with: the best complete trial of the other kind.

    Against transfer learning that is the best from scratch, and the other way round; None where
    no such trial is complete. It is chosen as the champion is.
    """
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    best = champion(complete, objective)
    if best is None:
        return None
    others = [trial for trial in complete if _is_baseline(trial) != _is_baseline(best)]
    return champion(others, objective)


def _is_baseline(trial: FrozenTrial) -> bool:
    return facts(trial).get("configuration", {}).get("strategy") == BASELINE
