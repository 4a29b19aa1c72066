"""What is kept of an epoch, and in which order."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tlsearch.errors import NonFiniteLossError
from tlsearch.execution.events import Decision
from tlsearch.pretraining.files import PretrainingFiles
from tlsearch.pretraining.watch import Watch


class Prober:
    """Answers with a number, or fails as if the process had been killed meanwhile."""

    def __init__(self, every=2, fails=False):
        self.every = every
        self._fails = fails

    def accuracy(self):
        if self._fails:
            raise KeyboardInterrupt
        return 0.5


class Supervisor:
    def __init__(self, decision=Decision.CONTINUE):
        self.asked = []
        self._decision = decision

    def ask(self, event):
        self.asked.append(event)
        return self._decision


@pytest.fixture
def files(tmp_path):
    return PretrainingFiles(tmp_path)


@pytest.fixture(scope="module")
def model():
    images = keras.Input((2,))
    model = keras.Model(images, keras.layers.Dense(1)(images))
    model.compile("sgd", "mse")
    return model


def watch(files, model, *, prober=None, supervisor=None, epochs=3):
    one = Watch(files, supervisor or Supervisor(), prober, epochs)
    one.set_model(model)
    model.stop_training = False
    return one


def pass_epoch(one, epoch, losses):
    one.on_epoch_begin(epoch)
    for step, loss in enumerate(losses):
        one.on_train_batch_begin(step)
        one.on_train_batch_end(step, {"loss": np.float32(loss), "accuracy": loss / 4})
    one.on_epoch_end(epoch)


def test_an_epoch_is_kept_and_told(files, model):
    supervisor = Supervisor()
    one = watch(files, model, supervisor=supervisor)
    pass_epoch(one, 0, [3.0, 1.0])
    assert files.history()[["epoch", "loss", "accuracy"]].to_numpy().tolist() == [[1, 2.0, 0.5]]
    assert files.steps()["loss"].tolist() == [3.0, 1.0]
    (event,) = supervisor.asked
    assert (event.epoch, event.metrics) == (1, {"loss": 2.0, "accuracy": 0.5})
    assert not model.stop_training


def test_probes_are_taken_when_they_are_due_and_at_the_end(files, model):
    supervisor = Supervisor()
    one = watch(files, model, prober=Prober(every=2), supervisor=supervisor)
    assert one.probe(0) == 0.5
    for epoch in range(3):
        pass_epoch(one, epoch, [1.0])
    assert files.probes() == {0: 0.5, 2: 0.5, 3: 0.5}
    told = ["probe_accuracy" in event.metrics for event in supervisor.asked]
    assert told == [False, True, True]


def test_an_epoch_whose_probe_was_cut_short_is_not_over(files, model):
    one = watch(files, model, prober=Prober(every=1, fails=True))
    with pytest.raises(KeyboardInterrupt):
        pass_epoch(one, 0, [1.0])
    assert files.epochs_done() == 0


@pytest.mark.parametrize("decision", [Decision.STOP, Decision.PRUNE])
def test_it_stops_when_it_is_told_to_and_the_epoch_is_kept(files, model, decision):
    one = watch(files, model, supervisor=Supervisor(decision))
    pass_epoch(one, 0, [1.0])
    assert model.stop_training
    assert one.decision is decision
    assert files.epochs_done() == 1


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_is_an_error_and_nothing_is_kept(files, model, loss):
    one = watch(files, model, prober=Prober(every=1))
    with pytest.raises(NonFiniteLossError, match="in epoch 1"):
        pass_epoch(one, 0, [1.0, loss])
    assert (files.epochs_done(), files.probes()) == (0, {})
