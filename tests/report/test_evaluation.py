"""The figures of an evaluation against scikit-learn's and against cases done by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tlsearch.errors import NoResultError, UsageError
from tlsearch.report.evaluation import Evaluation, wilson_interval

CLASSES = ("daisy", "dandelion", "roses", "tulips")


def answers(photos=200, classes=4, seed=0):
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, photos)
    scores = random.normal(size=(photos, classes)) + 1.2 * np.eye(classes)[labels]
    exponent = np.exp(scores)
    probabilities = exponent / exponent.sum(1, keepdims=True)
    return probabilities.astype(np.float32), labels


def normalised(probabilities):
    """In float64, because scikit-learn warns about rows that are off by a float32 step."""
    wide = probabilities.astype(np.float64)
    return wide / wide.sum(1, keepdims=True)


def by_hand():
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.3, 0.7]], np.float32)
    return Evaluation(probabilities, np.array([0, 0, 1, 1]), ("cat", "dog"))


def test_a_case_done_by_hand():
    evaluation = by_hand()
    assert evaluation.confusion.tolist() == [[1, 1], [0, 2]]
    assert evaluation.accuracy == 0.75
    assert evaluation.precision.tolist() == pytest.approx([1, 2 / 3])
    assert evaluation.recall.tolist() == [0.5, 1.0]
    assert evaluation.log_loss == pytest.approx(-np.log([0.9, 0.2, 0.6, 0.7]).mean(), abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_the_figures_are_scikit_learns(seed):
    metrics = pytest.importorskip("sklearn.metrics")
    probabilities, labels = answers(seed=seed)
    evaluation = Evaluation(probabilities, labels, CLASSES)
    predicted = probabilities.argmax(1)
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        labels, predicted, average="macro", zero_division=0
    )
    assert evaluation.metrics() | {"accuracy_low": 0, "accuracy_high": 0} == pytest.approx(
        {
            "accuracy": metrics.accuracy_score(labels, predicted),
            "accuracy_low": 0,
            "accuracy_high": 0,
            "balanced_accuracy": metrics.balanced_accuracy_score(labels, predicted),
            "macro_precision": precision,
            "macro_recall": recall,
            "macro_f1": f1,
            "log_loss": metrics.log_loss(labels, normalised(probabilities)),
        },
        abs=1e-6,
    )
    assert (evaluation.confusion == metrics.confusion_matrix(labels, predicted)).all()


def test_a_class_that_never_occurs_does_not_count():
    metrics = pytest.importorskip("sklearn.metrics")
    probabilities, labels = answers(classes=3)
    padded = np.pad(probabilities, ((0, 0), (0, 1)))
    evaluation = Evaluation(padded, labels, CLASSES)
    expected = metrics.f1_score(labels, padded.argmax(1), average="macro")
    assert evaluation.metrics()["macro_f1"] == pytest.approx(expected)
    assert evaluation.per_class()["photos"].iloc[3] == 0


def test_the_interval_is_wilsons():
    # The worked example 8 of 10 gives 0.490 to 0.943 in the literature.
    assert wilson_interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    low, high = wilson_interval(20, 20)
    assert high == 1.0
    assert 0.8 < low < 1.0


def test_the_worst_are_the_most_confident_mistakes():
    probabilities = np.array([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8], [0.7, 0.3]], np.float32)
    evaluation = Evaluation(probabilities, np.array([1, 1, 1, 1]), ("cat", "dog"))
    assert evaluation.worst(2).tolist() == [1, 3]
    assert evaluation.worst(9).tolist() == [1, 3, 0]


def test_a_zero_probability_leaves_the_loss_finite():
    evaluation = Evaluation(np.array([[1.0, 0.0]], np.float32), np.array([1]), ("cat", "dog"))
    assert 10 < evaluation.log_loss < 20


def test_the_tables_carry_the_class_names():
    evaluation = by_hand()
    assert evaluation.per_class()["class"].tolist() == ["cat", "dog"]
    assert evaluation.confusion_table().loc["cat", "dog"] == 1


@pytest.mark.parametrize(
    ("probabilities", "labels", "message"),
    [
        (np.ones((2, 3)), np.array([0, 1]), "do not fit"),
        (np.ones((0, 2)), np.array([], int), "do not fit"),
        (np.ones((2, 2)), np.array([0, 2]), "not one of the classes"),
    ],
)
def test_what_does_not_fit_is_refused(probabilities, labels, message):
    with pytest.raises(UsageError, match=message):
        Evaluation(probabilities, labels, ("cat", "dog"))


def test_a_diverged_training_has_no_figures():
    with pytest.raises(NoResultError, match="not a number"):
        Evaluation(np.array([[np.nan, 1], [0, 1]]), np.array([0, 1]), ("cat", "dog"))
