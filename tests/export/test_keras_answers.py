"""A trained Keras network, calibrated, and what becomes of it in ONNX."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from small_network import SIZE, make_photos

from tlsearch.backbones.convert import to_onnx
from tlsearch.export.keras_answers import ask_keras, calibrate, put_temperature
from tlsearch.export.parity import hold
from tlsearch.export.runtime import answer, open_session
from tlsearch.training.network import as_probabilities
from tlsearch.training.trained import two_columns

PHOTOS = make_photos(120)


def make_model(outputs, activation, seed=0):
    """A head that is far too sure of itself."""
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    images = keras.Input((SIZE, SIZE, 3), dtype="uint8")
    x = layers.Rescaling(1 / 127.5, offset=-1)(images)
    x = layers.Conv2D(8, 3, activation="relu")(x)
    x = layers.Dropout(0.5)(layers.GlobalAveragePooling2D()(x))
    x = layers.Dense(outputs, activation=activation, dtype="float32", name="classifier")(x)
    model = as_probabilities(keras.Model(images, x))
    classifier = model.get_layer("classifier")
    classifier.set_weights([array * 30 for array in classifier.get_weights()])
    return model


def noisy_labels(probabilities, seed=0):
    """The answers, a third of them drawn anew."""
    generator = np.random.default_rng(seed)
    labels = probabilities.argmax(axis=1)
    wrong = generator.random(len(labels)) < 1 / 3
    return np.where(wrong, generator.integers(0, probabilities.shape[1], len(labels)), labels)


@pytest.mark.parametrize(("outputs", "activation"), [(3, "softmax"), (1, "sigmoid")])
def test_the_network_and_its_onnx_form_answer_calibrated(outputs, activation):
    model = make_model(outputs, activation)
    before = ask_keras(model, PHOTOS)
    labels = noisy_labels(before)
    calibrated = calibrate(model, PHOTOS, labels)
    after = calibrated.probabilities
    assert calibrated.temperature.value > 1.5
    np.testing.assert_array_equal(after.argmax(axis=1), before.argmax(axis=1))
    assert after.max(axis=1).mean() < before.max(axis=1).mean() - 0.05
    np.testing.assert_allclose(ask_keras(model, PHOTOS), after, atol=1e-5)
    received = answer(open_session(to_onnx(model).SerializeToString()), PHOTOS)
    assert hold(after, received, 1e-4).top1_agreement == 1.0


def test_the_figures_are_those_of_a_division_of_the_logits():
    model = make_model(3, "softmax")
    logits = np.log(ask_keras(model, PHOTOS).astype(np.float64))
    put_temperature(model, 2.0)
    halved = np.exp(logits / 2)
    expected = halved / halved.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(ask_keras(model, PHOTOS), expected, atol=1e-3)


def test_one_output_is_shown_as_two_classes():
    single = np.array([[0.2], [0.9]], np.float32)
    np.testing.assert_allclose(two_columns(single), [[0.8, 0.2], [0.1, 0.9]], atol=1e-6)
