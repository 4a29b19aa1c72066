"""The optimizers in NumPy make Keras' steps."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tlsearch.training.descent import Adam, Momentum, constant, cosine
from tlsearch.training.head_lesson import ADAMW_DECAY

STEPS, RATE = 50, 3e-3
SHAPES = [(7, 4), (4,)]
SCHEDULES = {
    "constant": (constant(RATE), RATE),
    "cosine": (cosine(RATE, STEPS - 10), keras.optimizers.schedules.CosineDecay(RATE, STEPS - 10)),
}
OPTIMIZERS = {
    "adam": (Adam, keras.optimizers.Adam),
    "adamw": (lambda rate: Adam(rate, ADAMW_DECAY), keras.optimizers.AdamW),
    "sgd": (Momentum, lambda rate: keras.optimizers.SGD(rate, momentum=0.9, nesterov=True)),
}


def _arrays(random):
    return [random.normal(size=shape).astype("float32") for shape in SHAPES]


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_each_step_is_that_of_keras(optimizer, schedule):
    ours, theirs = (
        make(rate) for make, rate in zip(OPTIMIZERS[optimizer], SCHEDULES[schedule], strict=True)
    )
    random = np.random.default_rng(1)
    arrays = _arrays(random)
    variables = [keras.Variable(array) for array in arrays]
    before = [array.copy() for array in arrays]
    for _ in range(STEPS):
        gradients = _arrays(random)
        ours.apply(arrays, gradients)
        theirs.apply(list(map(keras.ops.convert_to_tensor, gradients)), variables)
        for array, variable in zip(arrays, variables, strict=True):
            assert array.dtype == np.float32
            np.testing.assert_allclose(array, variable.numpy(), rtol=1e-6, atol=1e-6)
    assert min(np.abs(a - b).max() for a, b in zip(arrays, before, strict=True)) > RATE


def test_a_cosine_goes_down_to_nothing_and_stays_there():
    rates = [cosine(0.5, 10)(step) for step in range(14)]
    assert rates[0] == 0.5
    assert rates[5] == pytest.approx(0.25)
    assert rates == sorted(rates, reverse=True)
    assert rates[10:] == [0.0] * 4


def test_gradients_and_arrays_have_to_be_as_many():
    with pytest.raises(ValueError, match="shorter"):
        Momentum(constant(1.0)).apply(_arrays(np.random.default_rng(0)), [])
