"""The fit itself: stored activations change nothing, and the best epoch is what is kept."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tlsearch.config.schema import EarlyStopping, Objective
from tlsearch.errors import NonFiniteLossError
from tlsearch.execution.events import Decision
from tlsearch.training.activations import ActivationCache
from tlsearch.training.fit import Progress, compile_, fit, prepare
from tlsearch.training.inputs import Inputs
from tlsearch.training.network import build_network
from tlsearch.training.phases import phases
from tlsearch.training.trained import TrainedTrial

TUNED = {"strategy": "fine_tune", "unfreeze": 1, "learning_rate": 1e-2}
LIVELY = {**TUNED, "head_learning_rate": 1e-2, "augment": "light", "dropout": 0.3}
LOSS = Objective(metric="val_loss", direction="minimize")
NO_ROOM = 0
"""A limit of the activation cache under which nothing is kept."""


def _go_on(epoch, metrics, seconds):
    return Decision.CONTINUE


def _inputs(data, configuration, train, limit=10**9):
    return Inputs(data, configuration, train.batch_size, ActivationCache(limit), seed=5)


def _fit(data, configuration, train, *, limit=10**9, report=_go_on, objective=None):
    """Train from seed; the network, its progress and the predictions."""
    keras.utils.set_random_seed(11)
    network = build_network(configuration, 3, train)
    progress = Progress(objective or Objective())
    inputs = _inputs(data, configuration, train, limit)
    plan = phases(configuration, train, network)
    predictions = fit(network, plan, inputs, train, progress, report)
    return network, progress, predictions


def _losses(progress):
    return [(epoch["loss"], epoch["val_loss"]) for epoch in progress.epochs]


@pytest.fixture(scope="module")
def tuned(configure, data, train):
    """A fine-tuned network, all of whose epochs were reported."""
    seen = []

    def report(epoch, metrics, seconds):
        seen.append((epoch, metrics, seconds))
        return Decision.CONTINUE

    return *_fit(data, configure(**LIVELY), train, report=report, objective=LOSS), seen


def test_stored_activations_train_as_the_prefix_in_the_loop_does(configure, data, train):
    configuration = configure(**TUNED, head_learning_rate=1e-2)
    longer = train.model_copy(update={"epochs": 5, "head_epochs": 2})
    network = build_network(configuration, 3, longer)
    for phase in phases(configuration, longer, network):
        assert prepare(network, phase, _inputs(data, configuration, longer))[0] is not None
        assert prepare(network, phase, _inputs(data, configuration, longer, NO_ROOM))[0] is None

    stored = _fit(data, configuration, longer)
    looped = _fit(data, configuration, longer, limit=NO_ROOM)
    assert len(stored[1].epochs) == 5
    np.testing.assert_allclose(_losses(stored[1]), _losses(looped[1]), atol=1e-4)
    np.testing.assert_allclose(stored[2], looped[2], atol=1e-4)


def test_the_same_seed_gives_the_same_history(configure, data, train, tuned):
    _, first, predictions, _ = tuned
    _, second, again = _fit(data, configure(**LIVELY), train, objective=LOSS)
    assert first.epochs == second.epochs
    np.testing.assert_array_equal(predictions, again)


def test_it_learns(configure, data, train):
    configuration = configure(**TUNED, head_learning_rate=1e-2)
    longer = train.model_copy(update={"epochs": 12})
    _, progress, predictions = _fit(data, configuration, longer)
    assert progress.epochs[-1]["loss"] < progress.epochs[0]["loss"] / 2
    assert progress.best_value >= 0.9
    assert (predictions.argmax(1) == data.labels["validation"]).mean() == progress.best_value


def test_what_is_frozen_does_not_move(configure, train, tuned):
    network, progress, _, _ = tuned
    before = build_network(configure(**LIVELY), 3, train).model
    assert progress.best_epoch > train.head_epochs
    for name, moves in (("conv_1", False), ("norm_2", False), ("conv_3", True), ("norm_3", False)):
        old, new = (model.get_layer(name).get_weights() for model in (before, network.model))
        same = all(np.array_equal(a, b) for a, b in zip(old, new, strict=True))
        assert same != moves, name


def test_the_best_epoch_is_kept_and_predicted(data, tuned):
    _, progress, predictions, _ = tuned
    losses = [epoch["val_loss"] for epoch in progress.epochs]
    assert progress.best_epoch == 1 + int(np.argmin(losses))
    assert progress.best_value == min(losses)
    labels = data.labels["validation"]
    loss = -np.log(np.clip(predictions[np.arange(len(labels)), labels], 1e-7, 1)).mean()
    assert loss == pytest.approx(progress.best_value, abs=1e-3)


def test_an_earlier_epoch_may_be_the_best(configure, data, train):
    """So large a learning rate spoils in the second phase what the first has learned."""
    configuration = configure(**TUNED | {"learning_rate": 10.0}, head_learning_rate=1e-2)
    network, progress, predictions = _fit(data, configuration, train, objective=LOSS)
    assert progress.best_epoch == 1
    photos = data.photos["validation"]
    again = network.model.predict(photos.pixels[photos.rows], verbose=0)
    np.testing.assert_allclose(again, predictions, atol=1e-5)


@pytest.mark.parametrize("decision", [Decision.PRUNE, Decision.STOP])
def test_a_decision_ends_it_in_any_phase(configure, data, train, decision):
    seen = []

    def report(epoch, metrics, seconds):
        seen.append((epoch, seconds))
        return decision

    _, progress, _ = _fit(data, configure(**TUNED), train, report=report)
    assert progress.decision is decision
    assert [epoch for epoch, _ in seen] == [1]
    assert len(progress.epochs) == 1


def test_every_epoch_is_reported_once_through_the_phases(tuned):
    _, progress, _, seen = tuned
    assert [epoch for epoch, _, _ in seen] == [1, 2, 3]
    for (epoch, metrics, seconds), kept in zip(seen, progress.epochs, strict=True):
        assert kept == {"epoch": epoch, **metrics}
        assert sorted(metrics) == ["accuracy", "loss", "val_accuracy", "val_loss"]
        assert seconds > 0


def test_patience_ends_it(configure, data, train):
    still = configure(head_learning_rate=1e-12)
    patient = train.model_copy(update={"epochs": 10, "early_stopping": EarlyStopping(patience=2)})
    _, progress, _ = _fit(data, still, patient)
    assert len(progress.epochs) == 3
    assert progress.best_epoch == 1


def test_a_loss_that_is_not_finite_is_an_error(configure, data, train):
    wild = configure(head_learning_rate=1e38)
    with pytest.raises(NonFiniteLossError, match="the loss is") as caught:
        _fit(data, wild, train)
    assert "learning rates" in caught.value.hint


@pytest.mark.parametrize(
    ("optimizer", "kind"), [("adam", "Adam"), ("adamw", "AdamW"), ("sgd", "SGD")]
)
def test_the_optimizer_is_the_sweep_s(tuned, train, optimizer, kind):
    model = keras.models.clone_model(tuned[0].model)
    compile_(model, train.model_copy(update={"optimizer": optimizer}), 0.25)
    assert type(model.optimizer).__name__ == kind
    assert float(model.optimizer.learning_rate) == 0.25
    assert model.loss == "sparse_categorical_crossentropy"


def test_the_weights_file_gives_the_same_predictions(configure, data, train, tuned, tmp_path):
    network, progress, predictions, _ = tuned
    trained = TrainedTrial(tmp_path / "trial")
    assert not trained.is_whole
    trained.write(network, predictions, progress.epochs)
    assert trained.is_whole
    other = build_network(configure(**LIVELY), 3, train, weights=False)
    other.model.load_weights(trained.weights)
    photos = data.photos["validation"]
    again = other.model.predict(photos.pixels[photos.rows], verbose=0)
    np.testing.assert_allclose(again, predictions, atol=1e-5)
    np.testing.assert_array_equal(trained.validation(), predictions)
    assert trained.history()["loss"].tolist() == pytest.approx([e["loss"] for e in progress.epochs])
    assert {file.name for file in trained.folder.iterdir()} == {
        "best.weights.h5",
        "validation.npz",
        "history.csv",
    }


def test_a_sigmoid_trains_and_is_kept_as_two_columns(configure, data, train, tmp_path):
    labels = {name: (values > 0).astype("int64") for name, values in data.labels.items()}
    two = type(data)(data.photos, labels, "two", data.views)
    keras.utils.set_random_seed(1)
    sigmoid = train.model_copy(update={"output": "sigmoid"})
    configuration = configure(head_learning_rate=1e-2)
    network = build_network(configuration, 2, sigmoid)
    progress = Progress(Objective())
    plan = phases(configuration, sigmoid, network)
    inputs = _inputs(two, configuration, sigmoid)
    predictions = fit(network, plan, inputs, sigmoid, progress, _go_on)
    assert predictions.shape == (12, 1)
    TrainedTrial(tmp_path).write(network, predictions, progress.epochs)
    both = TrainedTrial(tmp_path).validation()
    assert both.shape == (12, 2)
    assert (both.argmax(1) == labels["validation"]).mean() == pytest.approx(progress.best_value)
