from __future__ import annotations

from collections import Counter

import pytest
from peers.trials import (
    DROPOUTS,
    HEAD_RATES,
    RATES,
    feature_extraction,
    mixed,
    one_of_each,
    sample,
    whole,
)


def test_a_third_of_the_mixed_list_is_feature_extraction():
    trials = mixed(24)
    kinds = Counter(trial.kind for trial in trials)
    assert Counter(trial.strategy for trial in trials) == {"feature_extraction": 8, "fine_tune": 16}
    assert len(kinds) == 2 + 2 * 3
    assert Counter(trial.backbone for trial in trials) == {"MobileNet": 12, "MobileNetV2": 12}
    assert all(trial.augment == "light" for trial in trials)


@pytest.mark.parametrize("draw", [lambda: mixed(24), lambda: feature_extraction(20), one_of_each])
def test_a_list_is_the_same_each_time_and_holds_no_trial_twice(draw):
    assert draw() == draw()
    assert len(set(draw())) == len(draw())


def test_values_lie_within_the_space():
    for trial in mixed(48):
        assert HEAD_RATES[0] <= trial.head_learning_rate <= HEAD_RATES[1]
        assert DROPOUTS[0] <= trial.dropout <= DROPOUTS[1]
        if trial.strategy == "fine_tune":
            assert RATES[0] <= trial.learning_rate <= RATES[1]


def test_only_fine_tuning_has_parameters_of_fine_tuning():
    for trial in mixed(12):
        tuned = trial.strategy == "fine_tune"
        assert ("unfreeze" in trial.parameters()) is tuned
        assert ("learning_rate" in trial.parameters()) is tuned


def test_a_sample_stands_for_the_whole_list():
    trials = mixed(24)
    for count in (1, 5, 6, 8, 23):
        part = sample(trials, count)
        assert len(set(part.positions)) == count
        assert sum(part.weights) == 24


def test_a_sample_of_eight_has_most_kinds():
    trials = mixed(24)
    kinds = {trials[position].kind for position in sample(trials, 8).positions}
    assert len(kinds) >= 7
    assert {kind[0] for kind in kinds} == {"feature_extraction", "fine_tune"}


def test_rounds_sample_other_trials():
    trials = mixed(24)
    assert sample(trials, 6, 0).positions != sample(trials, 6, 1).positions


@pytest.mark.parametrize("count", [None, 24, 30])
def test_a_sample_of_all_is_the_list(count):
    trials = mixed(24)
    assert sample(trials, count) == whole(trials)
    assert whole(trials).weights == (1,) * 24
