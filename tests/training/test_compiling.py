"""Optimizer, schedule and loss are the sweep's."""

from __future__ import annotations

import keras
import pytest

from tlsearch.training.compiling import compile_, learning_rate
from tlsearch.training.phases import Phase


def _model(outputs):
    inputs = keras.Input((4,))
    return keras.Model(inputs, keras.layers.Dense(outputs, activation="softmax")(inputs))


@pytest.mark.parametrize(
    ("optimizer", "kind"), [("adam", "Adam"), ("adamw", "AdamW"), ("sgd", "SGD")]
)
def test_the_optimizer_is_the_sweep_s(train, optimizer, kind):
    model = _model(3)
    compile_(model, train.model_copy(update={"optimizer": optimizer}), 0.25)
    assert type(model.optimizer).__name__ == kind
    assert float(model.optimizer.learning_rate) == 0.25
    assert model.optimizer.built


@pytest.mark.parametrize(
    ("outputs", "soft", "loss"),
    [
        (3, False, "sparse_categorical_crossentropy"),
        (3, True, "categorical_crossentropy"),
        (1, False, "binary_crossentropy"),
        (1, True, "binary_crossentropy"),
    ],
)
def test_the_loss_is_that_of_the_targets(train, outputs, soft, loss):
    model = _model(outputs)
    compile_(model, train, 0.25, soft=soft)
    assert model.loss == loss


def test_a_cosine_ends_with_the_phase(train):
    phase = Phase("somewhere", 0.5, epochs=4)
    rate = learning_rate(phase, train, steps=5)
    rates = [float(rate(step)) for step in (0, 10, 20)]
    assert rates == pytest.approx([0.5, 0.25, 0.0])
    constant = train.model_copy(update={"schedule": "constant"})
    assert learning_rate(phase, constant, steps=5) == 0.5
