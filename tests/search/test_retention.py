"""Weights of finished trials are kept as long as they are asked for or needed."""

from __future__ import annotations

import numpy as np
import pytest
from optuna.trial import TrialState, create_trial

from tlsearch.errors import WeightsError
from tlsearch.search.retention import Retention
from tlsearch.training.trained import TrainedTrial

PRUNED, RUNNING, FAIL = TrialState.PRUNED, TrialState.RUNNING, TrialState.FAIL


def _trial(number, value, strategy="fine_tune", state=TrialState.COMPLETE):
    facts = {"best_value": value, "configuration": {"strategy": strategy}}
    told = value if state is TrialState.COMPLETE else None
    trial = create_trial(state=state, value=told, user_attrs=facts)
    trial.number = number
    return trial


@pytest.fixture
def folder(paths):
    """Of a sweep with the files of six trials."""
    made = paths.sweep("tiny")
    for number in range(6):
        probabilities = np.array([[0.25, 0.75]], np.float32)
        epochs = [{"epoch": 1, "loss": 0.5}]
        TrainedTrial(made.trial(number)).write({"head": [np.ones(3)]}, "", probabilities, epochs)
    return made


@pytest.fixture
def retention(make_sweep, folder):
    return lambda keep: Retention(make_sweep(checkpoints={"keep": keep}), folder)


def _kept(folder):
    return [n for n in range(6) if TrainedTrial(folder.trial(n)).has_weights]


TRIALS = [
    _trial(0, 0.6),
    _trial(1, 0.9),
    _trial(2, 0.4, "from_scratch"),
    _trial(3, 0.5, "from_scratch"),
    _trial(4, 0.95, state=PRUNED),
    _trial(5, None, state=RUNNING),
]


def test_all_are_kept_by_default(retention, folder, make_sweep):
    assert make_sweep().checkpoints.keep == "all"
    retention("all").after_trial(TRIALS)
    retention("all").after_delivery(TRIALS)
    assert _kept(folder) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("keep", ["best", "none"])
def test_the_best_of_each_kind_may_be_the_champion_or_its_rival(retention, folder, keep):
    retention(keep).after_trial(TRIALS[:1])
    assert _kept(folder) == [0, 1, 2, 3, 4, 5]
    retention(keep).after_trial(TRIALS[:3])
    assert _kept(folder) == [1, 2, 3, 4, 5]
    retention(keep).after_trial(TRIALS)
    assert _kept(folder) == [1, 3, 5]


def test_after_the_delivery(retention, folder):
    retention("best").after_delivery(TRIALS)
    assert _kept(folder) == [0, 1, 2, 3, 4, 5]
    retention("none").after_delivery(TRIALS)
    assert _kept(folder) == [5]
    retention("none").after_delivery(TRIALS)


def test_what_reports_are_drawn_from_stays(retention, folder):
    retention("none").after_delivery([*TRIALS, _trial(5, None, state=FAIL)])
    for number in range(6):
        trained = TrainedTrial(folder.trial(number))
        assert trained.is_whole
        assert trained.validation().tolist() == [[0.25, 0.75]]
        assert trained.history()["loss"].tolist() == [0.5]


def test_weights_that_are_gone_are_an_error_that_names_the_key(retention, folder):
    retention("none").after_delivery(TRIALS)
    with pytest.raises(WeightsError, match=r"checkpoints\.keep"):
        TrainedTrial(folder.trial(0)).weights("")


def test_a_trial_without_files_is_passed_over(retention, paths):
    retention("best").after_trial([_trial(7, 0.1), _trial(8, 0.2)])
    assert not paths.sweep("tiny").trial(7).exists()
