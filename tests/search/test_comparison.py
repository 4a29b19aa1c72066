"""What a sweep knows of transfer learning against the baseline, out of its study."""

from __future__ import annotations

import json

import pytest
from optuna.trial import TrialState

from tlsearch.report.evaluation import wilson_interval
from tlsearch.search.comparison import Comparison, Contender, compare
from tlsearch.search.study import SweepStudy

PHOTOS = 100


def _test(right):
    low, high = wilson_interval(right, PHOTOS)
    return {"accuracy": right / PHOTOS, "accuracy_low": low, "accuracy_high": high}


def _side(right, strategy="fine_tune", epochs=12):
    low, high = wilson_interval(right, PHOTOS)
    return Contender(0, strategy, "MobileNet", epochs, 4.0, right / PHOTOS, low, high)


@pytest.fixture
def study(make_sweep, paths):
    space = {"backbone": "MobileNet", "strategy": ["fine_tune", "from_scratch"]}
    return SweepStudy.open(make_sweep(space=space), paths)


def _add(study, strategy, value):
    """A complete trial as the supervisor leaves it; its number."""
    trial = study.ask()
    facts = {
        "configuration": {"backbone": "MobileNet", "strategy": strategy},
        "epochs": 12,
        "seconds": 4.5,
        "best_value": value,
    }
    return study.tell(trial, TrialState.COMPLETE, value, facts).number


@pytest.mark.parametrize("values", [(0.9, 0.5), (0.5, 0.9)], ids=["transfer", "baseline"])
def test_both_sides_come_from_the_study_whoever_won(study, values):
    for strategy, value in zip(("fine_tune", "from_scratch"), values, strict=True):
        study.note_test(_add(study, strategy, value), _test(round(100 * value)))
    found = compare(study)
    assert (found.transfer.strategy, found.baseline.strategy) == ("fine_tune", "from_scratch")
    assert (found.transfer.accuracy, found.baseline.accuracy) == values
    assert found.points == pytest.approx(100 * (values[0] - values[1]))
    assert (found.transfer.epochs, found.transfer.seconds) == (12, 4.5)
    assert json.loads(json.dumps(found.as_dict()))["baseline"]["accuracy"] == values[1]


def test_it_is_remembered(study, paths):
    for strategy in ("fine_tune", "from_scratch"):
        study.note_test(_add(study, strategy, 0.5), _test(50))
    again = SweepStudy.find(study._sweep, paths)
    assert compare(again) == compare(study) is not None


def test_nothing_is_compared_that_was_not_judged(study):
    champion = _add(study, "fine_tune", 0.9)
    study.note_test(champion, _test(90))
    assert compare(study) is None
    rival = _add(study, "from_scratch", 0.5)
    assert study.rival().number == rival
    assert compare(study) is None
    study.note_test(rival, _test(50))
    assert compare(study).baseline.trial == rival


def test_a_judged_trial_is_compared_only_while_it_is_the_best_of_its_kind(study):
    for strategy, value in (("fine_tune", 0.9), ("from_scratch", 0.5)):
        study.note_test(_add(study, strategy, value), _test(50))
    _add(study, "from_scratch", 0.6)
    assert compare(study) is None


@pytest.mark.parametrize(
    ("transfer", "baseline", "overlaps"),
    [(90, 50, False), (50, 90, False), (90, 88, True), (50, 50, True), (0, 100, False)],
)
def test_intervals_overlap_whichever_lies_above(transfer, baseline, overlaps):
    found = Comparison(_side(transfer), _side(baseline, "from_scratch"))
    assert found.overlaps is overlaps
    assert found.points == pytest.approx(transfer - baseline)


def test_epochs_are_held_against_each_other():
    assert Comparison(_side(90), _side(50)).is_at_equal_epochs
    assert not Comparison(_side(90), _side(50, epochs=11)).is_at_equal_epochs
