"""The fit itself: every epoch is told, the best one is kept, decisions and bad losses end it."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import ALWAYS, go_on

from tlsearch.config.schema import EarlyStopping, Objective
from tlsearch.errors import NonFiniteLossError
from tlsearch.execution.events import Decision
from tlsearch.training.course import Course
from tlsearch.training.fit import Fit, Progress
from tlsearch.training.head_model import CLASSIFIER, HeadShape
from tlsearch.training.judging import cross_entropy
from tlsearch.training.network import build_network

TUNED = {"strategy": "fine_tune", "unfreeze": 1, "learning_rate": 1e-2}
LIVELY = {**TUNED, "head_learning_rate": 1e-2, "augment": "light", "dropout": 0.3}
LOSS = Objective(metric="val_loss", direction="minimize")


def _random_head():
    """A start that leaves something to learn."""
    return HeadShape(32, 0, 3).initial(np.random.default_rng(0))


def _collect(seen, decide=lambda epoch: Decision.CONTINUE):
    def report(epoch, metrics, seconds):
        seen.append((epoch, metrics, seconds))
        return decide(epoch)

    return report


def test_a_fit_through_both_phases(make_task, configure, train_task):
    """Each epoch is told once; the best is kept and answers; the same seed gives the same."""
    task, seen = make_task(configure(**LIVELY)), []
    progress = train_task(task, objective=LOSS, report=_collect(seen))
    assert [epoch for epoch, _, _ in seen] == [1, 2, 3]
    for (epoch, metrics, seconds), kept in zip(seen, progress.epochs, strict=True):
        assert kept == {"epoch": epoch, **metrics}
        assert sorted(metrics) == ["accuracy", "loss", "val_accuracy", "val_loss"]
        assert seconds > 0
    assert progress.seconds == [seconds for _, _, seconds in seen]
    losses = [epoch["val_loss"] for epoch in progress.epochs]
    assert progress.best_epoch == 1 + int(np.argmin(losses))
    assert progress.best_value == min(losses)
    told = cross_entropy(progress.best_answers, task.labels["validation"])
    assert told == progress.best_value

    again = train_task(task, objective=LOSS)
    assert again.epochs == progress.epochs
    np.testing.assert_array_equal(again.best_answers, progress.best_answers)
    other = train_task(make_task(configure(**LIVELY), seed=6), objective=LOSS)
    assert other.epochs != progress.epochs


def test_it_learns_and_leaves_alone_what_is_frozen(make_task, configure, train, train_task):
    configuration = configure(**TUNED, head_learning_rate=1e-1)
    task = make_task(configuration, train=train.model_copy(update={"epochs": 6}))
    progress = train_task(task, start=_random_head())
    assert progress.epochs[-1]["loss"] < progress.epochs[0]["loss"] / 2
    assert progress.best_value >= 0.9
    assert progress.best_epoch > 1
    assert set(progress.best_weights) == {"conv_3", CLASSIFIER}
    before = build_network(configuration, 3, task.train).get_layer("conv_3").get_weights()
    assert np.abs(progress.best_weights["conv_3"][0] - before[0]).max() > 1e-3


def test_an_earlier_epoch_may_be_the_best(make_task, configure, train_task):
    """So large a learning rate spoils in the second phase what the first has learned."""
    configuration = configure(**TUNED | {"learning_rate": 10.0}, head_learning_rate=1e-2)
    progress = train_task(make_task(configuration), objective=LOSS)
    assert progress.best_epoch == 1
    assert len(progress.epochs) == 3
    assert progress.epochs[-1]["val_loss"] > 2 * progress.best_value
    assert set(progress.best_weights) == {CLASSIFIER}


def test_the_second_phase_goes_on_where_the_first_ended(make_task, configure, train_task):
    configuration = configure(**TUNED | {"learning_rate": 1e-12}, head_learning_rate=1e-1)
    progress = train_task(make_task(configuration), start=_random_head())
    losses = [epoch["val_loss"] for epoch in progress.epochs]
    assert losses[1:] == pytest.approx([losses[0]] * 2, abs=1e-3)


@pytest.mark.parametrize(
    ("decision", "last"), [(Decision.PRUNE, 1), (Decision.STOP, 2), (Decision.PRUNE, 3)]
)
def test_a_decision_ends_it_in_any_phase(make_task, configure, train, train_task, decision, last):
    longer = train.model_copy(update={"epochs": 5, "head_epochs": 2})
    task, seen = make_task(configure(**TUNED), train=longer), []

    def decide(epoch):
        return decision if epoch == last else Decision.CONTINUE

    progress = train_task(task, report=_collect(seen, decide))
    assert progress.decision is decision
    assert [epoch for epoch, _, _ in seen] == list(range(1, last + 1))
    assert len(progress.epochs) == last
    assert len(progress.best_answers) == 12


def test_patience_ends_it(make_task, configure, train, train_task):
    still = configure(head_learning_rate=1e-12)
    patient = train.model_copy(update={"epochs": 10, "early_stopping": EarlyStopping(patience=2)})
    progress = train_task(make_task(still, train=patient))
    assert len(progress.epochs) == 3
    assert progress.best_epoch == 1
    assert progress.decision is Decision.CONTINUE


def test_patience_with_the_head_is_not_patience_with_the_blocks(
    make_task, configure, train, train_task
):
    """Each phase has its own, and what a phase did not use is not added to the next."""
    still = configure(**TUNED | {"learning_rate": 1e-12}, head_learning_rate=1e-12)
    values = {"epochs": 20, "head_epochs": 10, "early_stopping": EarlyStopping(patience=2)}
    progress = train_task(make_task(still, train=train.model_copy(update=values)))
    assert len(progress.epochs) == 3 + 2


@pytest.mark.parametrize("strategy", ["feature_extraction", "fine_tune"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_loss_that_is_not_finite_is_an_error(make_task, configure, train_task, strategy):
    values = {**TUNED, "learning_rate": 1e38, "strategy": strategy}
    head = 1e38 if strategy == "feature_extraction" else 1e-3
    wild = configure(**values, head_learning_rate=head)
    seen = []
    with pytest.raises(NonFiniteLossError, match="the loss is") as caught:
        train_task(make_task(wild), ALWAYS, report=_collect(seen))
    assert "learning rates" in caught.value.hint
    assert len(seen) < 3
    assert all(np.isfinite(metrics["loss"]) for _, metrics, _ in seen)


def test_the_best_weights_are_not_those_that_training_goes_on_with(
    make_task, configure, train, train_task
):
    wild = configure(head_learning_rate=30.0)
    constant = train.model_copy(update={"schedule": "constant", "epochs": 6})
    task = make_task(wild, train=constant)
    progress = train_task(task, objective=LOSS)
    assert progress.best_epoch < 6

    def stop(epoch, metrics, seconds):
        return Decision.STOP if epoch == progress.best_epoch else Decision.CONTINUE

    stopped = train_task(task, objective=LOSS, report=stop)
    for kept, one in zip(
        progress.best_weights[CLASSIFIER], stopped.best_weights[CLASSIFIER], strict=True
    ):
        np.testing.assert_array_equal(kept, one)


def test_a_store_without_room_keeps_no_trial_from_training(
    make_task, configure, open_activations, tmp_path
):
    task, progress = make_task(configure(head_learning_rate=1e-1)), Progress(Objective())
    with open_activations(task, ALWAYS, limit=100) as activations:
        course = Course(task, activations, tmp_path / "probes")
        labels = task.labels["validation"]
        Fit(progress, task.draws(), labels, None, go_on).run(
            course.phases, course.learner, _random_head()
        )
    assert len(progress.epochs) == 3
    assert not list((tmp_path / "activations").rglob("shard-*"))
