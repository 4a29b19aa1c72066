"""The closing sentence on transfer learning and the baseline: true whoever is better."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from tlsearch.config.schema import Sweep
from tlsearch.search.comparison import Comparison, Contender
from tlsearch.search.result import SweepResult
from tlsearch.terminal.sentence import compare_kinds, describe

TRANSFER = Contender(2, "feature_extraction", "tiny.keras", 12, 4.2, 0.893, 0.83, 0.94)
SCRATCH = Contender(4, "from_scratch", "tiny.keras", 12, 31.0, 0.536, 0.45, 0.62)


def test_transfer_learning_is_better():
    assert describe(Comparison(TRANSFER, SCRATCH)) == (
        "transfer learning (feature_extraction, trial 2) reaches 0.893 on the test photos after "
        "12 epochs in 4 s; from scratch (trial 4) 0.536 after 12 epochs in 31 s: "
        "transfer learning is 35.7 points better"
    )


def test_from_scratch_is_better():
    scratch = replace(SCRATCH, accuracy=0.9730, low=0.95, high=0.99)
    said = describe(Comparison(TRANSFER, scratch))
    assert said.endswith(": from scratch is 8.0 points better")


@pytest.mark.parametrize("accuracy", [0.536, 0.5362])
def test_neither_is_better(accuracy):
    transfer = replace(TRANSFER, accuracy=accuracy, low=0.45, high=0.62)
    said = describe(Comparison(transfer, SCRATCH))
    assert said.endswith(": neither is better; the 95 % intervals overlap: more photos would tell")


def test_unequal_epochs_are_said():
    said = describe(Comparison(TRANSFER, replace(SCRATCH, epochs=1)))
    assert "0.536 after 1 epoch in 31 s: " in said
    assert said.endswith("is 35.7 points better, at unequal epochs")


def test_overlapping_intervals_are_said_beside_unequal_epochs():
    scratch = replace(SCRATCH, epochs=7, accuracy=0.85, low=0.78, high=0.90)
    assert describe(Comparison(TRANSFER, scratch)).endswith(
        ": transfer learning is 4.3 points better, at unequal epochs; "
        "the 95 % intervals overlap: more photos would tell"
    )


def test_backbones_are_named_where_they_differ():
    said = describe(Comparison(replace(TRANSFER, backbone="MobileNetV2"), SCRATCH))
    assert "(feature_extraction of MobileNetV2, trial 2)" in said
    assert "(tiny.keras, trial 4)" in said


def _result(strategies, complete, comparison=None):
    sweep = Sweep.model_validate(
        {
            "version": 1,
            "name": "kinds",
            "data": {"source": "photos"},
            "space": {"backbone": "MobileNet", "strategy": strategies},
        }
    )
    rows = [(strategy, "complete") for strategy in complete]
    trials = pd.DataFrame([*rows, ("from_scratch", "pruned")], columns=["strategy", "state"])
    return SweepResult(sweep, trials, {}, Path("bundle"), comparison)


def test_a_sweep_with_a_comparison_says_its_sentence():
    comparison = Comparison(TRANSFER, SCRATCH)
    both = ["feature_extraction", "from_scratch"]
    assert compare_kinds(_result(both, both, comparison)) == [describe(comparison)]


@pytest.mark.parametrize(
    ("complete", "lacking"),
    [("fine_tune", "from scratch"), ("from_scratch", "with transfer learning")],
)
def test_a_kind_that_never_came_to_its_end_is_named(complete, lacking):
    (said,) = compare_kinds(_result(["fine_tune", "from_scratch"], [complete]))
    assert said == f"no trial {lacking} is complete, so there is nothing to compare with"


@pytest.mark.parametrize("strategies", [["fine_tune", "feature_extraction"], ["from_scratch"]])
def test_a_space_of_one_kind_says_nothing(strategies):
    assert compare_kinds(_result(strategies, strategies)) == []


def test_what_was_not_judged_is_not_called_incomplete():
    both = ["fine_tune", "from_scratch"]
    assert compare_kinds(_result(both, both)) == []
