"""A batch that is shown in parts teaches what it would have taught at once."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest

from tlsearch.training.compiling import compile_, learning_rate
from tlsearch.training.draws import Draws
from tlsearch.training.keras_learner import Examples, KerasLearner
from tlsearch.training.parts import Parts, cut
from tlsearch.training.phases import Phase

PHOTOS, FEATURES, CLASSES, BATCH = 21, 6, 3, 8
"""An epoch's last batch has five photos: fewer than eight parts, and not a multiple of two."""


@pytest.fixture
def examples():
    random = np.random.default_rng(0)
    inputs = random.normal(size=(PHOTOS, FEATURES)).astype("float32")
    labels = random.integers(CLASSES, size=PHOTOS)
    return Examples(lambda places, draw: (inputs[places], labels[places]), inputs.take, PHOTOS)


def _learn(examples, train, parts, epochs=3):
    """The losses and accuracies of some epochs, and the weights that they leave."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((FEATURES,))
    model = keras.Model(inputs, keras.layers.Dense(CLASSES, activation="softmax")(inputs))
    rate = learning_rate(Phase(None, 0.05, epochs), train, -(-PHOTOS // BATCH), parts)
    compile_(model, train, rate, parts=parts)
    learner = KerasLearner(model, examples, BATCH)
    draws = Draws(3, PHOTOS)
    metrics = [learner.train(draws.epoch(number)) for number in range(1, epochs + 1)]
    return np.array(metrics), model.get_weights()


@pytest.mark.parametrize(
    ("optimizer", "schedule", "parts"),
    [("adam", "cosine", 3), ("adamw", "constant", 2), ("sgd", "cosine", 8)],
)
def test_the_weights_are_those_of_whole_batches(examples, train, optimizer, schedule, parts):
    train = train.model_copy(update={"optimizer": optimizer, "schedule": schedule})
    whole, expected = _learn(examples, train, 1)
    told, weights = _learn(examples, train, parts)
    for array, one in zip(expected, weights, strict=True):
        np.testing.assert_allclose(one, array, atol=2e-6)
    # What is told on the way is a mean over parts, which are of unequal sizes.
    np.testing.assert_allclose(told, whole, atol=0.1)


def test_every_step_is_of_one_batch():
    batches = [np.arange(8), np.arange(8, 16), np.arange(16, 21)]
    shown = Parts(batches, lambda places: (places, places), 4)
    assert shown.num_batches == 12
    seen = [[shown[4 * step + part] for part in range(4)] for step in range(3)]
    for batch, parts in zip(batches, seen, strict=True):
        real = np.concatenate([inputs[weights > 0] for inputs, _, weights in parts])
        assert real.tolist() == batch.tolist()


def test_a_batch_is_made_once():
    made = []

    def make(places):
        made.append(len(places))
        return places, places

    shown = Parts([np.arange(8), np.arange(5)], make, 4)
    for index in range(shown.num_batches):
        shown[index]
    assert made == [8, 5]


def test_a_part_without_photos_weighs_nothing():
    batch = np.arange(2), np.arange(2)
    parts = [cut(batch, part, 4) for part in range(4)]
    assert [len(inputs) for inputs, *_ in parts] == [1, 1, 1, 1]
    assert sorted(float(weights[0]) for *_, weights in parts) == [0, 0, 2, 2]


@pytest.mark.parametrize("strategy", ["fine_tune", "from_scratch"])
def test_a_trial_in_parts_starts_and_ends_like_the_whole_one(
    make_task, configure, train_task, strategy
):
    chosen = {"unfreeze": 1} if strategy == "fine_tune" else {}
    task = make_task(configure(strategy=strategy, **chosen))
    whole, parts = (train_task(replace(task, parts=number)) for number in (1, 2))
    assert len(parts.epochs) == len(whole.epochs)
    if strategy == "fine_tune":
        # Batch normalisation is frozen there: nothing depends on what is computed together.
        for name, arrays in whole.best_weights.items():
            for expected, array in zip(arrays, parts.best_weights[name], strict=True):
                np.testing.assert_allclose(array, expected, atol=1e-4)
    assert abs(parts.best_value - whole.best_value) <= 0.35
