"""Which trial is best, and the order of all."""

from __future__ import annotations

import math

import pytest
from optuna.trial import TrialState, create_trial

from tlsearch.config.schema import Objective
from tlsearch.search.leaderboard import champion, leaderboard

ACCURACY = Objective()
LOSS = Objective(metric="val_loss", direction="minimize")


def _trial(number, value, state=TrialState.COMPLETE, loss=1.0):
    attributes = {
        "best_value": value,
        "metrics": {"val_loss": loss},
        "configuration": {"backbone": "MobileNet"},
    }
    if value is None:
        attributes = {"failure": "error", "reason": "odd"}
    told = value if state is TrialState.COMPLETE else None
    trial = create_trial(
        state=TrialState.COMPLETE if told is not None else state,
        value=0.0 if told is not None and math.isnan(told) else told,
        user_attrs=attributes,
    )
    trial.number = number
    return trial


def test_the_largest_or_the_smallest_as_the_objective_says():
    trials = [_trial(0, 0.2), _trial(1, 0.9), _trial(2, 0.5)]
    assert champion(trials, ACCURACY).number == 1
    assert champion(trials, LOSS).number == 0


def test_a_pruned_trial_is_never_chosen():
    trials = [_trial(0, 0.2), _trial(1, 0.9, TrialState.PRUNED)]
    assert champion(trials, ACCURACY).number == 0
    assert champion(trials[1:], ACCURACY) is None


def test_a_failed_or_running_trial_is_never_chosen():
    trials = [_trial(0, None, TrialState.FAIL), _trial(1, None, TrialState.RUNNING)]
    assert champion(trials, ACCURACY) is None
    assert champion([], ACCURACY) is None


@pytest.mark.parametrize("objective", [ACCURACY, LOSS])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_nan_is_never_best(objective, place):
    trials = [_trial(0, 0.4), _trial(1, 0.4, loss=2.0)]
    trials.insert(place, _trial(9, math.nan))
    assert champion(trials, objective).number == 0
    assert champion([_trial(9, math.nan)], objective) is None


def test_a_tie_goes_to_the_lower_loss_then_to_the_earlier_trial():
    trials = [_trial(0, 0.9, loss=0.5), _trial(1, 0.9, loss=0.3), _trial(2, 0.9, loss=0.3)]
    assert champion(trials, ACCURACY).number == 1


def test_order_of_the_leaderboard():
    trials = [
        _trial(0, None, TrialState.RUNNING),
        _trial(1, None, TrialState.FAIL),
        _trial(2, 0.95, TrialState.PRUNED),
        _trial(3, 0.3),
        _trial(4, 0.6),
    ]
    table = leaderboard(trials, ACCURACY)
    assert list(table["trial"]) == [4, 3, 2, 1, 0]
    assert list(table["state"]) == ["complete", "complete", "pruned", "fail", "running"]
    assert table["reason"][3] == "odd"


def test_no_trials_make_an_empty_table():
    assert leaderboard([], ACCURACY).empty
