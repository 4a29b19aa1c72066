from __future__ import annotations

import math

import pytest
from peers.accuracy import against_spread, best_rows
from peers.figures import compare_to_spread, differences, median_of, ratio, seed_spread
from peers.measurement import Measurement, measure
from peers.memory import Memory
from peers.process import Run
from peers.rows import extent, growth_rows, memory_rows, ratio_row
from peers.trials import Part, feature_extraction, whole

from tlsearch.errors import NoResultError


def measured(side="ours", round_=0, *, seconds=10.0, values=(0.5, 0.75), weights=(1, 1)):
    """Two trials of 2 s and 3 s, with 1 s before them and the rest after."""
    part = Part((0, 1), weights)
    return Measurement(side, round_, part, seconds, 0.5, 1.0, (2.0, 3.0), tuple(values))


def run_of(trials, *, seconds=20.0):
    """What a side says that runs these trials, 3 s each from second 4 on."""
    events = [(1.0, {"event": "imported"}), (4.0, {"event": "trial_started", "trial": 0})]
    for number, trial in enumerate(trials):
        said = {"event": "trial_ended", "trial": number, "value": 0.5, **trial.parameters()}
        events.append((4.0 + 3 * (number + 1), said))
    return Run(seconds, tuple(events))


def test_the_whole_list_is_scaled_up_from_trials_and_not_from_imports():
    one = measured(weights=(3, 2))
    assert one.after == 10 - 1 - 5
    assert one.whole_seconds == 1 + 3 * 2 + 2 * 3 + 4
    assert extent(one) == "5 trials estimated from 2"


def test_a_whole_list_is_what_was_measured():
    one = measured()
    assert one.whole_seconds == pytest.approx(one.seconds)
    assert extent(one) == "2 trials"


def test_a_run_becomes_a_measurement():
    trials = feature_extraction(3)
    one = measure(run_of(trials), "plain", 0, trials, whole(trials))
    assert (one.first_word, one.before, one.after) == (1, 4, 20 - 4 - 9)
    assert one.trial_seconds == (3, 3, 3)
    assert one.as_dict()["whole_seconds"] == 20


def test_building_the_first_network_is_no_part_of_its_trial():
    trials = feature_extraction(2)
    run = run_of(trials)
    built = (6.0, {"event": "network_built", "trial": 0})
    run = Run(run.seconds, tuple(sorted([*run.events, built], key=lambda event: event[0])))
    assert measure(run, "ours", 0, trials, whole(trials)).trial_seconds == (1, 3)


def test_a_side_that_ran_other_trials_is_refused():
    trials = feature_extraction(3)
    with pytest.raises(NoResultError, match="did not run the trials"):
        measure(run_of(trials[::-1]), "plain", 0, trials, whole(trials))
    with pytest.raises(NoResultError, match="did not run the trials"):
        measure(run_of(trials[:2]), "plain", 0, trials, whole(trials))


def test_ratios_are_of_one_round_each():
    rounds = [(10, 20), (10, 40), (20, 60)]
    found = [measured("fast", i, seconds=fast) for i, (fast, _) in enumerate(rounds)]
    found += [measured("slow", i, seconds=slow) for i, (_, slow) in enumerate(rounds)]
    assert ratio(found, "slow", "fast", lambda one: one.seconds) == {
        "median": 3,
        "smallest": 2,
        "largest": 4,
    }
    assert median_of(found, "slow", lambda one: one.seconds) == 40
    row = ratio_row("all", found, "slow", "fast", lambda one: one.seconds)
    assert row["value"] == 3
    assert "2.00 to 4.00 over the rounds" in row["note"]


def test_the_spread_pools_the_trials():
    assert seed_spread({0: [1.0, 3.0], 1: [4.0, 8.0]}) == pytest.approx(math.sqrt((2 + 8) / 2))
    assert seed_spread({0: [1.0, 2.0, 3.0]}) == pytest.approx(1)


def test_differences_are_of_trials_that_both_ran():
    other = Measurement("b", 0, Part((1,), (2,)), 1, 0, 0, (1,), (0.25,))
    assert differences(measured(), other) == {1: 0.5}


def test_differences_are_held_against_the_spread():
    found = compare_to_spread([0.1, -5.0, 2.0], 1.0)
    assert found["limit"] == pytest.approx(2.77, abs=0.01)
    assert (found["within_limit"], found["compared"], found["largest"]) == (2, 3, 5)
    assert found["mean"] == pytest.approx(-2.9 / 3)


def test_differences_are_in_points_and_name_their_trials():
    found = [measured("a", values=(0.5, 0.8)), measured("b", values=(0.52, 0.8))]
    repeated = {0: [0.5, 0.52]}
    compared = against_spread(found, ("a", "b"), feature_extraction(2), repeated)
    assert [gap["points"] for gap in compared["differences"]] == pytest.approx([-2, 0])
    assert compared["seed_spread_points"] == pytest.approx(math.sqrt(2))
    assert compared["summary"]["within_limit"] == 2


def test_the_best_of_a_sample_is_compared_with_ours_on_the_same_trials():
    ours = Measurement("ours", 0, Part((0, 1, 2), (1, 1, 1)), 9, 0, 0, (1, 1, 1), (0.9, 0.5, 0.6))
    other = Measurement("other", 0, Part((1, 2), (1, 2)), 9, 0, 0, (1, 1), (0.55, 0.58))
    whole_list, sampled = best_rows([ours, other], "ours", ["other"])
    assert (whole_list["value"], sampled["value"]) == (0.9, 0.58)
    assert sampled["note"].endswith("same 2 trials: 0.6000")


def test_memory_is_in_mebibytes():
    peak = Memory(4 * 2**20, 3 * 2**20, 2**20, 2 * 2**20)
    one = Measurement("ours", 0, Part((0,), (1,)), 9, 0, 0, (1,), (0.9,), peak)
    assert [row["value"] for row in memory_rows([one])] == [4, 3, 1, 2]
    assert {row["unit"] for row in memory_rows([one])} == {"MiB"}


def test_growth_is_per_photo():
    few, many = [measured(seconds=10)], [measured(seconds=60)]
    whole_command, trials = growth_rows(few, many, 10)
    assert whole_command["value"] == pytest.approx(0.6)
    assert trials["value"] == pytest.approx(0.1)
