"""The head in NumPy is the head in Keras: answers, gradients, starts."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from tlsearch.training.head import apply_head
from tlsearch.training.head_model import CLASSIFIER, HIDDEN, HeadModel, HeadShape
from tlsearch.training.weights import learned, restore

WIDTH, PHOTOS = 6, 20
SHAPES = pytest.mark.parametrize(
    ("hidden", "outputs"), [(0, 4), (5, 4), (0, 1), (5, 1)], ids=lambda it: str(it)
)


def _examples(outputs):
    random = np.random.default_rng(0)
    features = random.normal(size=(PHOTOS, WIDTH)).astype("float32")
    return features, random.integers(max(outputs, 2), size=PHOTOS)


def _weights(hidden, outputs):
    """Of a head that has learned something: biases, too, are not 0."""
    random = np.random.default_rng(1)
    initial = HeadShape(WIDTH, hidden, outputs).initial(random)
    return {
        name: [kernel, random.normal(size=bias.shape).astype("float32")]
        for name, (kernel, bias) in initial.items()
    }


def _in_keras(configure, hidden, outputs, weights):
    inputs = keras.Input((WIDTH,))
    answers = apply_head(inputs, configure(hidden_units=hidden), outputs)
    model = keras.Model(inputs, answers)
    restore(model, weights)
    return model


@SHAPES
def test_it_answers_as_the_network_s_head(configure, hidden, outputs):
    features, _ = _examples(outputs)
    weights = _weights(hidden, outputs)
    model = _in_keras(configure, hidden, outputs, weights)
    answers = HeadModel(weights, 0.0).predict(features)
    assert answers.dtype == np.float32
    np.testing.assert_allclose(answers, model.predict_on_batch(features), atol=1e-6)
    assert list(learned(model)) == list(weights)


@SHAPES
def test_its_gradients_are_those_of_the_mean_loss(configure, hidden, outputs):
    """By central differences of the loss in double precision."""
    features, labels = _examples(outputs)
    weights = {
        name: [array.astype("float64") for array in arrays]
        for name, arrays in _weights(hidden, outputs).items()
    }
    head = HeadModel(weights, 0.0)
    random = np.random.default_rng(0)
    answers, gradients = head.gradients(features.astype("float64"), labels, random)
    np.testing.assert_array_equal(answers, head.predict(features.astype("float64")))

    def loss():
        given = head.predict(features.astype("float64"))
        if outputs == 1:
            given = np.concatenate([1 - given, given], axis=1)
        return -np.log(given[np.arange(PHOTOS), labels]).mean()

    step = 1e-6
    for array, gradient in zip(head.arrays, gradients, strict=True):
        assert gradient.shape == array.shape
        for place in np.ndindex(array.shape):
            kept = array[place]
            array[place] = kept + step
            above = loss()
            array[place] = kept - step
            slope = (above - loss()) / (2 * step)
            array[place] = kept
            assert gradient[place] == pytest.approx(slope, abs=1e-7)


@SHAPES
def test_training_keeps_single_precision(hidden, outputs):
    features, labels = _examples(outputs)
    head = HeadModel(_weights(hidden, outputs), 0.5)
    _, gradients = head.gradients(features, labels, np.random.default_rng(0))
    assert {gradient.dtype for gradient in gradients} == {np.dtype("float32")}


def test_dropout_leaves_out_its_share_and_keeps_the_mean():
    ones = np.ones((2000, 50), "float32")
    head = HeadModel({CLASSIFIER: [np.eye(50, dtype="float32"), np.zeros(50, "float32")]}, 0.3)
    mask = head._mask(ones.shape, np.random.default_rng(0))
    assert set(np.unique(mask)) == {np.float32(0), np.float32(1 / 0.7)}
    assert (mask == 0).mean() == pytest.approx(0.3, abs=0.01)
    assert mask.mean() == pytest.approx(1, abs=0.01)
    assert len({row.tobytes() for row in mask[:100]}) == 100


@pytest.mark.parametrize("hidden", [0, 5])
def test_gradients_with_dropout_are_those_of_what_is_left(hidden):
    """With the inputs of the last layer scaled by the very mask, there is no dropout."""
    features, labels = _examples(4)
    weights = _weights(hidden, 4)
    dropped = HeadModel(weights, 0.5)
    shape = (PHOTOS, hidden or WIDTH)
    mask = dropped._mask(shape, np.random.default_rng(7))
    answers, gradients = dropped.gradients(features, labels, np.random.default_rng(7))
    last = np.maximum(features @ weights[HIDDEN][0] + weights[HIDDEN][1], 0) if hidden else features
    alone = HeadModel({CLASSIFIER: weights[CLASSIFIER]}, 0.0)
    expected, wanted = alone.gradients(last * mask, labels, np.random.default_rng(0))
    np.testing.assert_allclose(answers, expected, atol=1e-6)
    for found, one in zip(gradients[-2:], wanted, strict=True):
        np.testing.assert_allclose(found, one, atol=1e-6)
    if hidden:
        error = (answers - np.eye(4)[labels]) / PHOTOS
        back = (error @ weights[CLASSIFIER][0].T) * mask * (last > 0)
        np.testing.assert_allclose(gradients[0], features.T @ back, atol=1e-6)


def test_answers_are_given_without_dropout():
    features, _ = _examples(4)
    weights = _weights(5, 4)
    np.testing.assert_array_equal(
        HeadModel(weights, 0.9).predict(features), HeadModel(weights, 0.0).predict(features)
    )


def test_huge_logits_are_no_infinity():
    weights = {CLASSIFIER: [np.eye(2, dtype="float32"), np.zeros(2, "float32")]}
    answers = HeadModel(weights, 0.0).predict(np.array([[1e4, -1e4], [-1e4, 1e4]], "float32"))
    np.testing.assert_array_equal(answers, np.eye(2))
    one = {CLASSIFIER: [np.ones((1, 1), "float32"), np.zeros(1, "float32")]}
    with np.errstate(all="raise"):
        answers = HeadModel(one, 0.0).predict(np.array([[1e4], [-1e4]], "float32"))
    np.testing.assert_allclose(answers, [[1], [0]], atol=1e-30)


def test_the_start_is_keras_start():
    """Glorot's: even between the same limits, and no bias."""
    start = HeadShape(40, 30, 3).initial(np.random.default_rng(0))
    assert {name: [a.shape for a in arrays] for name, arrays in start.items()} == {
        HIDDEN: [(40, 30), (30,)],
        CLASSIFIER: [(30, 3), (3,)],
    }
    kernel, bias = start[HIDDEN]
    drawn = ops.convert_to_numpy(keras.initializers.GlorotUniform(0)((40, 30)))
    assert np.abs(kernel).max() == pytest.approx(np.abs(drawn).max(), rel=0.01)
    assert kernel.std() == pytest.approx(drawn.std(), rel=0.05)
    assert not bias.any()
    again = HeadShape(40, 30, 3).initial(np.random.default_rng(0))
    np.testing.assert_array_equal(again[CLASSIFIER][0], start[CLASSIFIER][0])
