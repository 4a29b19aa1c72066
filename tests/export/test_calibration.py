"""Temperature scaling: fitted, undone again, and never changing an answer."""

from __future__ import annotations

import numpy as np
import pytest

from tlsearch.export.calibration import (
    HIGHEST,
    LOWEST,
    Temperature,
    calibration_error,
    cool,
    fit_temperature,
)
from tlsearch.report.evaluation import Evaluation

CLASSES = ("a", "b", "c")


def softmax(logits):
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (raised / raised.sum(axis=1, keepdims=True)).astype(np.float32)


def drawn(count=4000, seed=0):
    """Logits, and labels drawn from the very probabilities that they stand for."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(scale=2, size=(count, 3))
    labels = np.array([generator.choice(3, p=row / row.sum()) for row in softmax(logits)])
    return logits, labels


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.5, 6.0])
def test_logits_that_are_too_large_are_divided_by_as_much(factor):
    logits, labels = drawn()
    fitted = fit_temperature(logits * factor, labels)
    assert fitted.value == pytest.approx(factor, rel=0.08)
    assert not fitted.at_bound


def test_it_is_where_the_log_loss_is_least():
    logits, labels = drawn(500, seed=3)
    best = fit_temperature(logits, labels).value
    losses = [
        Evaluation(softmax(logits / value), labels, CLASSES).log_loss
        for value in (best * 0.97, best, best * 1.03)
    ]
    assert losses[1] == min(losses)


def test_one_output_is_two_classes():
    logits, labels = drawn(300)
    two = labels[labels < 2]
    single = (logits[:, 1] - logits[:, 0])[labels < 2]
    both = np.stack([np.zeros_like(single), single], axis=1)
    assert fit_temperature(single[:, None], two) == fit_temperature(both, two)


def test_no_mistake_and_nothing_but_mistakes_stop_at_the_bounds():
    right = np.eye(3)[np.arange(30) % 3]
    assert fit_temperature(right, np.arange(30) % 3) == Temperature(LOWEST, at_bound=True)
    assert fit_temperature(right, (np.arange(30) + 1) % 3) == Temperature(HIGHEST, at_bound=True)


def test_huge_logits_are_finite():
    fitted = fit_temperature(np.eye(3)[[0, 1, 2, 0]] * 1e4, np.array([0, 1, 2, 1]))
    assert fitted == Temperature(HIGHEST, at_bound=True)


@pytest.mark.parametrize("temperature", [0.25, 0.7, 1.8, 8.0])
def test_it_can_be_undone_and_no_answer_changes(temperature):
    logits, labels = drawn(200)
    before = Evaluation(softmax(logits), labels, CLASSES)
    after = Evaluation(softmax(logits / temperature), labels, CLASSES)
    np.testing.assert_array_equal(after.predicted, before.predicted)
    again = cool(after, temperature)
    np.testing.assert_allclose(again.probabilities, before.probabilities, atol=1e-4)
    assert again.accuracy == after.accuracy


def test_the_calibration_error_is_the_gap_between_sure_and_right():
    probabilities = np.tile(np.array([[0.8, 0.1, 0.1]], np.float32), (10, 1))
    labels = np.array([0] * 5 + [1] * 5)
    assert calibration_error(Evaluation(probabilities, labels, CLASSES)) == pytest.approx(0.3)
    labels = np.array([0] * 8 + [1] * 2)
    assert calibration_error(Evaluation(probabilities, labels, CLASSES)) == pytest.approx(
        0, abs=1e-6
    )
    certain = Evaluation(np.eye(3, dtype=np.float32), np.array([0, 1, 1]), CLASSES)
    assert calibration_error(certain) == pytest.approx(1 / 3)


def test_gaps_either_way_do_not_cancel_out_across_bins():
    probabilities = np.array([[0.9, 0.1, 0.0], [0.5, 0.3, 0.2]], np.float32)
    evaluation = Evaluation(probabilities, np.array([1, 0]), CLASSES)
    assert calibration_error(evaluation) == pytest.approx((0.9 + 0.5) / 2)


def test_calibrating_drawn_photos_lowers_both_figures():
    logits, labels = drawn()
    before = Evaluation(softmax(logits * 3), labels, CLASSES)
    value = fit_temperature(logits * 3, labels).value
    after = Evaluation(softmax(logits * 3 / value), labels, CLASSES)
    assert after.log_loss < before.log_loss - 0.1
    assert calibration_error(after) < calibration_error(before) / 3
