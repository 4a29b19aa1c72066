"""How the benchmark of screening holds rankings against fine-tuning."""

from __future__ import annotations

import pytest
from peers.rankings import agreement, by_place, by_publication, judge, regret

TRUTH = {"A": 0.9, "B": 0.8, "C": 0.7, "D": 0.6}


def test_the_same_order_agrees_and_the_reverse_does_not():
    assert agreement(by_place("ABCD"), TRUTH) == pytest.approx(1)
    assert agreement(by_place("DCBA"), TRUTH) == pytest.approx(-1)
    assert agreement(by_place("BACD"), TRUTH) == pytest.approx(2 / 3)


def test_what_was_not_published_comes_last_by_size():
    published = {"A": None, "B": 70.0, "C": 71.0, "D": None}
    scores = by_publication(published, {"A": 1, "B": 9, "C": 3, "D": 2})
    assert sorted(scores, key=lambda name: -scores[name]) == ["C", "B", "D", "A"]


def test_regret_is_what_the_best_of_the_first_lacks():
    assert regret(by_place("CBAD"), TRUTH, 1) == pytest.approx(0.2)
    assert regret(by_place("CBAD"), TRUTH, 2) == pytest.approx(0.1)
    assert regret(by_place("CBAD"), TRUTH, 3) == 0


def _round(accuracy, ranking, seconds):
    return {
        "accuracy": accuracy,
        "seconds": dict.fromkeys(accuracy, seconds),
        "own_seconds": dict.fromkeys(accuracy, seconds / 2),
        "sizes": {"A": 4.0, "B": 3.0, "C": 1.0, "D": 2.0},
        "published": {"A": None, "B": 71.0, "C": 70.0, "D": None},
        "ranking": list(ranking),
        "screening_seconds": 10.0,
        "screening_own_seconds": 4.0,
    }


def test_rounds_are_held_against_their_mean():
    """Each round errs on its own, their mean does not."""
    one = {"A": 0.95, "B": 0.7, "C": 0.75, "D": 0.6}
    other = {"A": 0.85, "B": 0.9, "C": 0.65, "D": 0.6}
    found = judge([_round(one, "ABCD", 50.0), _round(other, "BACD", 100.0)], keep=2)
    assert found["accuracy"] == pytest.approx(TRUTH)
    assert found["tau"] == pytest.approx({"screening": 5 / 6, "published": 1 / 3, "size": 2 / 3})
    assert found["regret_of_first"] == pytest.approx(
        {"screening": 0.05, "published": 0.1, "size": 0}
    )
    assert found["regret_of_kept"] == pytest.approx({"screening": 0, "published": 0.1, "size": 0})
    assert found["cost"]["all in all"] == pytest.approx(
        {"screening": 10, "fine_tunes": 300, "times_cheaper": 30}
    )
    assert found["cost"]["the jobs alone"]["times_cheaper"] == pytest.approx(37.5)
