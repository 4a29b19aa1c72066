"""A training set on the accelerator changes nothing but where the rows lie."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tlsearch.execution.devices import Gpu
from tlsearch.training import on_device
from tlsearch.training.on_device import Lookup, fits, looked_up
from tlsearch.training.views import View

TUNED = {"strategy": "fine_tune", "unfreeze": 1, "learning_rate": 1e-2, "augment": "light"}


@pytest.fixture
def parts(configure, make_task, open_activations):
    """Two views of the train split and one of validation, below the last block."""
    task = make_task(configure(**TUNED))
    with open_activations(task) as stored:
        cut = stored.frozen.boundary(1)
        yield stored.rows("train", cut, task.shown) + stored.rows("validation", cut, [View()])


def _gpu(memory):
    return Gpu("0", "one of tests", 9.0, memory)


def test_places_lead_to_the_rows(parts):
    lookup = Lookup(parts)
    views, positions = np.array([1, 0, 2, 1]), np.array([5, 0, 11, 35])
    found = keras.ops.convert_to_numpy(lookup(lookup.place(views, positions)))
    wanted = [parts[view].read()[position] for view, position in zip(views, positions, strict=True)]
    np.testing.assert_array_equal(found, np.stack(wanted))
    assert found.dtype == parts[0].dtype
    assert not lookup.trainable_variables


def test_a_model_answers_for_places_what_it_answers_for_rows(parts):
    rows = keras.Input(parts[0].shape[1:], dtype=parts[0].dtype.name)
    pooled = keras.layers.GlobalAveragePooling2D()(keras.ops.cast(rows, "float32"))
    model = keras.Model(rows, keras.layers.Dense(3)(pooled))
    lookup = Lookup(parts)
    places = lookup.place(2, np.arange(12))
    answers = looked_up(model, lookup).predict_on_batch(places)
    np.testing.assert_allclose(answers, model.predict_on_batch(parts[2].read()), atol=1e-6)


def test_what_fits_is_on_the_device_and_what_does_not_is_not(parts, monkeypatch):
    size = sum(rows.nbytes for rows in parts)
    assert not fits(parts) or on_device.gpus()
    for memory, expected in ((4 * size, True), (2 * size, False)):
        monkeypatch.setattr(on_device, "gpus", lambda memory=memory: (_gpu(memory),))
        assert fits(parts) is expected


def test_training_reaches_the_same_from_the_device(configure, make_task, train_task, monkeypatch):
    task = make_task(configure(**TUNED))
    from_store = train_task(task)
    monkeypatch.setattr(on_device, "gpus", lambda: (_gpu(10**9),))
    from_device = train_task(task)
    for one, other in zip(from_store.epochs, from_device.epochs, strict=True):
        assert one == pytest.approx(other, abs=1e-5)
    np.testing.assert_allclose(from_store.best_answers, from_device.best_answers, atol=1e-5)
    assert from_store.best_weights.keys() == from_device.best_weights.keys()
