"""Which trial is best, and the order of all."""

from __future__ import annotations

import math

import pytest
from optuna.trial import TrialState, create_trial

from tlsearch.config.schema import Objective
from tlsearch.search.leaderboard import champion, leaderboard, rival

ACCURACY = Objective()
LOSS = Objective(metric="val_loss", direction="minimize")


def _trial(number, value, state=TrialState.COMPLETE, loss=1.0, strategy="fine_tune"):
    attributes = {
        "best_value": value,
        "metrics": {"val_loss": loss},
        "configuration": {"backbone": "MobileNet", "strategy": strategy},
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


def _scratch(number, value, state=TrialState.COMPLETE, loss=1.0):
    return _trial(number, value, state, loss, "from_scratch")


def test_the_rival_of_transfer_learning_is_the_best_from_scratch():
    transfer = [_trial(0, 0.9), _trial(1, 0.8, strategy="feature_extraction")]
    trials = [*transfer, _scratch(2, 0.4), _scratch(3, 0.6), _scratch(4, 0.5)]
    assert rival(trials, ACCURACY).number == 3
    assert rival(trials, LOSS).number == 1


def test_the_rival_from_scratch_is_the_best_of_all_transfer_learning():
    transfer = [_trial(0, 0.3), _trial(1, 0.5, strategy="feature_extraction"), _trial(2, 0.4)]
    assert rival([_scratch(3, 0.6), *transfer, _scratch(4, 0.55)], ACCURACY).number == 1


def test_a_rival_is_chosen_as_a_champion_is():
    given_up = [_scratch(1, 0.8, TrialState.PRUNED), _scratch(2, math.nan)]
    failed = [_scratch(3, None, TrialState.FAIL), _scratch(4, None, TrialState.RUNNING)]
    trials = [_trial(0, 0.9), *given_up, *failed]
    assert rival(trials, ACCURACY) is None
    ties = [_scratch(5, 0.2), _scratch(6, 0.2, loss=0.5)]
    assert rival([*trials, *ties], ACCURACY).number == 6


@pytest.mark.parametrize("make", [_trial, _scratch])
def test_trials_of_one_kind_have_no_rival(make):
    assert rival([make(0, 0.9), make(1, 0.8)], ACCURACY) is None
    assert rival([], ACCURACY) is None
