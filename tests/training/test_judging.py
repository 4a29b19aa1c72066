"""Loss and accuracy are those of Keras."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tlsearch.training.judging import accuracy, cross_entropy

PHOTOS = 200


def _softmax(random):
    logits = random.normal(size=(PHOTOS, 4)) * 3
    powers = np.exp(logits)
    return (powers / powers.sum(axis=1, keepdims=True)).astype("float32")


def test_several_classes():
    random = np.random.default_rng(0)
    answers, labels = _softmax(random), random.integers(4, size=PHOTOS)
    loss = keras.losses.SparseCategoricalCrossentropy()(labels, answers)
    share = keras.metrics.sparse_categorical_accuracy(labels, answers).numpy().mean()
    assert cross_entropy(answers, labels) == pytest.approx(float(loss), abs=1e-6)
    assert accuracy(answers, labels) == pytest.approx(share)
    assert 0 < share < 1


def test_two_classes_with_one_output():
    random = np.random.default_rng(0)
    answers = random.uniform(size=(PHOTOS, 1)).astype("float32")
    labels = random.integers(2, size=PHOTOS)
    loss = keras.losses.BinaryCrossentropy()(labels[:, None], answers)
    share = keras.metrics.binary_accuracy(labels[:, None], answers).numpy().mean()
    assert cross_entropy(answers, labels) == pytest.approx(float(loss), abs=1e-6)
    assert accuracy(answers, labels) == pytest.approx(share)
    both = np.concatenate([1 - answers, answers], axis=1)
    assert cross_entropy(both, labels) == pytest.approx(cross_entropy(answers, labels))


@pytest.mark.parametrize(
    ("answers", "loss"),
    [
        ([[1.0, 0.0]], keras.losses.SparseCategoricalCrossentropy()),
        ([[0.0]], keras.losses.BinaryCrossentropy()),
    ],
    ids=["softmax", "sigmoid"],
)
def test_to_be_quite_sure_and_wrong_is_not_infinitely_bad(answers, loss):
    given = np.array(answers, "float32")
    truth = np.array([1])
    expected = float(loss(truth[:, None], given))
    assert cross_entropy(given, truth) == pytest.approx(expected, rel=1e-3)


def test_a_number_that_is_none_is_told():
    assert np.isnan(cross_entropy(np.full((3, 2), np.nan, "float32"), np.zeros(3, int)))
