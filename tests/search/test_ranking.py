"""Who is measured on how many photos, what a published figure counts, and when two are alike."""

from __future__ import annotations

import numpy as np
import pytest

from tlsearch.search.ranking import (
    PRIOR_PHOTOS,
    Rung,
    are_told_apart,
    estimate,
    expit,
    logit,
    order,
    rungs,
    standard_error,
)


def _right(count, total):
    return np.arange(total) < count


@pytest.mark.parametrize(
    ("candidates", "keep", "total", "expected"),
    [
        (4, 3, 3000, [(4, 300)]),
        (12, 3, 3000, [(12, 300), (6, 900)]),
        (41, 3, 8000, [(41, 300), (21, 900), (11, 2700), (6, 8000)]),
        (4, 1, 3000, [(4, 300), (2, 900)]),
        (5, 1, 1000, [(5, 300), (3, 900), (2, 1000)]),
        (12, 3, 200, [(12, 200)]),
    ],
)
def test_the_better_half_goes_on_until_those_that_are_kept_are_left(
    candidates, keep, total, expected
):
    assert rungs(candidates, keep, 300, total) == [Rung(*one) for one in expected]


def test_without_published_figures_the_probe_decides():
    found = estimate([_right(90, 100), _right(70, 100)], [None, None])
    assert found == pytest.approx([90.5 / 101, 70.5 / 101])


def test_few_photos_let_the_published_figure_decide_and_many_do_not():
    """One is better published by much, the other a little better on the photos."""
    published = [80.0, 60.0]
    few, many = PRIOR_PHOTOS // 5, PRIOR_PHOTOS * 50
    for photos, winner in ((few, 0), (many, 1)):
        measured = [_right(round(0.80 * photos), photos), _right(round(0.85 * photos), photos)]
        found = estimate(measured, published)
        assert order(found, [0.80, 0.85])[0] == winner


def test_the_published_figure_counts_as_many_photos_as_it_says():
    measured = [_right(80, PRIOR_PHOTOS), _right(80, PRIOR_PHOTOS)]
    better, worse = estimate(measured, [80.0, 60.0])
    probe = logit(80.5 / (PRIOR_PHOTOS + 1))
    half_of_the_gap = (logit(0.8) - logit(0.6)) / 2 / 2
    assert better == pytest.approx(expit(probe + half_of_the_gap))
    assert worse == pytest.approx(expit(probe - half_of_the_gap))


def test_a_harder_or_easier_task_moves_no_candidate_of_which_nothing_was_published():
    """The published figures are far above what these photos allow."""
    measured = [_right(40, 100), _right(42, 100), _right(41, 100)]
    found = estimate(measured, [90.0, 90.0, None])
    assert found[2] == pytest.approx(41.5 / 101)
    assert found == pytest.approx([0.41, 0.41, 0.41], abs=0.01)


def test_a_perfect_probe_and_a_hopeless_one_have_finite_estimates():
    found = estimate([_right(20, 20), _right(0, 20)], [75.0, None])
    assert 0 < found[1] < found[0] < 1
    assert standard_error(_right(20, 20)) > 0


def test_ties_go_to_the_better_probe_then_to_the_first():
    assert order([0.5, 0.9, 0.9], [0.5, 0.8, 0.9]) == [2, 1, 0]
    assert order([0.9, 0.9], [0.8, 0.8]) == [0, 1]


def test_two_are_told_apart_by_the_photos_that_only_one_gets_right():
    one = np.ones(300, bool)
    other, noisy = one.copy(), one.copy()
    other[:12] = False
    assert are_told_apart(one, other)
    noisy[:12], one[12:24] = False, False
    assert not are_told_apart(one, noisy)


def test_the_test_is_exact():
    """Of discordant photos 5 to 0 may be chance (p = 0.0625), 6 to 0 not (p = 0.03125)."""
    one = np.ones(100, bool)
    five, six = one.copy(), one.copy()
    five[:5], six[:6] = False, False
    assert not are_told_apart(one, five)
    assert are_told_apart(one, six)
    assert not are_told_apart(one, one)


def test_chance_alone_seldom_tells_two_alike_apart():
    draw = np.random.default_rng(0)
    found = [are_told_apart(draw.random(200) < 0.85, draw.random(200) < 0.85) for _ in range(400)]
    assert np.mean(found) < 0.06
