"""However a phase is taught, on stored activations or on photos, it learns the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import ALWAYS, NEVER

from tlsearch.training.course import Course
from tlsearch.training.frozen import FrozenBackbone
from tlsearch.training.head import POOLED
from tlsearch.training.head_lesson import HeadLesson
from tlsearch.training.head_model import CLASSIFIER, HIDDEN, HeadShape
from tlsearch.training.judging import accuracy
from tlsearch.training.keras_lessons import PhotoLesson, SuffixLesson
from tlsearch.training.weights import count

TUNED = {"strategy": "fine_tune", "unfreeze": 1, "learning_rate": 1e-2}
WIDTH = 32
"""Channels of the small network's last block."""


def _losses(progress):
    return np.array([[epoch["loss"], epoch["val_loss"]] for epoch in progress.epochs])


def _random_head(outputs, hidden=0):
    """The probe's solution leaves too little to learn for two ways of learning to differ."""
    return HeadShape(WIDTH, hidden, outputs).initial(np.random.default_rng(0))


def _copy(weights):
    return {name: [array.copy() for array in arrays] for name, arrays in weights.items()}


@pytest.fixture
def plan(make_task, configure, train):
    """Makes a task of a configuration and of values of `train`; a sigmoid is for two classes."""

    def make(configuration, values, **others):
        task = make_task(
            configure(**configuration), train=train.model_copy(update=values), **others
        )
        if task.train.output == "softmax":
            return task
        labels = {name: (values > 0).astype("int64") for name, values in task.labels.items()}
        return replace(task, labels=labels, classes=2)

    return make


@pytest.fixture
def train_both_ways(train_task):
    """Trains a task on stored activations and on photos from the same start, and compares."""

    def run(task, start, tolerance):
        stored, looped = (train_task(task, how, start=_copy(start)) for how in (ALWAYS, NEVER))
        assert len(stored.epochs) == task.train.epochs
        assert np.ptp(_losses(stored)[:, 0]) > 30 * tolerance
        np.testing.assert_allclose(_losses(stored), _losses(looped), atol=tolerance)
        np.testing.assert_allclose(stored.best_answers, looped.best_answers, atol=tolerance)
        assert stored.best_weights.keys() == looped.best_weights.keys()
        assert count(stored.best_weights) == count(looped.best_weights)
        return stored

    return run


@pytest.mark.parametrize("hidden", [0, 6])
@pytest.mark.parametrize(
    ("values", "rate"),
    [
        ({"optimizer": "adam", "schedule": "constant"}, 3e-2),
        ({"optimizer": "adamw", "output": "sigmoid"}, 3e-2),
        ({"optimizer": "sgd"}, 0.3),
    ],
    ids=["adam, constant", "adamw, sigmoid", "sgd"],
)
def test_a_head_learns_in_numpy_what_it_learns_in_keras(
    plan, train_both_ways, values, rate, hidden
):
    task = plan({"head_learning_rate": rate, "hidden_units": hidden}, values)
    learned = train_both_ways(task, _random_head(task.outputs, hidden), 1e-4).best_weights
    assert sorted(learned) == ([CLASSIFIER, HIDDEN] if hidden else [CLASSIFIER])


@pytest.mark.parametrize(
    ("unfreeze", "values", "names"),
    [
        (1, {"head_epochs": 0, "optimizer": "sgd"}, {"conv_3"}),
        (1, {"batch_norm": "train"}, {"conv_3", "norm_3"}),
        (2, {"head_epochs": 2, "epochs": 4}, {"conv_2", "conv_3"}),
    ],
    ids=["sgd", "batch norm", "two blocks"],
)
def test_a_suffix_learns_what_the_whole_network_learns(
    plan, train_both_ways, unfreeze, values, names
):
    rates = {"head_learning_rate": 1e-2, "learning_rate": 3e-2 if "optimizer" in values else 1e-2}
    task = plan({**TUNED, **rates, "unfreeze": unfreeze}, values)
    learned = train_both_ways(task, _random_head(3), 2e-3).best_weights
    assert set(learned) == names | {CLASSIFIER}
    if "norm_3" in names:
        assert len(learned["norm_3"]) == 4


def test_on_a_warm_store_only_what_learns_is_built_and_run(
    make_task, configure, train_task, open_activations, tmp_path, monkeypatch
):
    train_task(make_task(configure(**TUNED, augment="light")))
    other = configure(**TUNED | {"learning_rate": 1e-3}, augment="light", dropout=0.3)
    task, ran = make_task(other, seed=6), []
    monkeypatch.setattr(FrozenBackbone, "runner", lambda *arguments: ran.append(arguments))
    assert len(train_task(task).epochs) == 3
    assert ran == []
    with open_activations(task) as activations:
        course = Course(task, activations, tmp_path / "probes")
        suffix = course._lesson(course.phases[-1])._ready
    names = [layer.name for layer in suffix.layers if layer.weights]
    assert names == ["conv_3", "norm_3", "classifier"]


@pytest.fixture
def lessons(open_activations, tmp_path):
    """The kinds of lessons of a task's phases, and how large the first says the network is."""

    def find(task, saving=ALWAYS):
        with open_activations(task, saving) as activations:
            course = Course(task, activations, tmp_path / "probes")
            found = [course._lesson(phase) for phase in course.phases]
            return [type(one) for one in found], [one.counts() for one in found]

    return find


def test_each_phase_is_taught_the_lightest_way(lessons, make_task, configure):
    frozen, tuned = configure(), configure(**TUNED)
    whole = configure(**TUNED | {"unfreeze": 99})
    assert lessons(make_task(frozen))[0] == [HeadLesson]
    assert lessons(make_task(tuned))[0] == [HeadLesson, SuffixLesson]
    assert lessons(make_task(whole))[0] == [HeadLesson, PhotoLesson]
    assert lessons(make_task(tuned), NEVER)[0] == [PhotoLesson, PhotoLesson]


@pytest.mark.parametrize(
    ("values", "views", "on_photos"),
    [
        ({"augment": "light"}, 2, False),
        ({"augment": "light"}, None, True),
        ({"augment": "none"}, None, False),
        ({"mixup": 0.2}, 2, True),
        ({"cutmix": 1.0}, None, True),
    ],
    ids=["stored views", "online", "online without augmentation", "mixup", "cutmix"],
)
def test_what_cannot_be_stored_is_taught_on_photos(
    lessons, make_task, configure, values, views, on_photos
):
    kinds, _ = lessons(make_task(configure(**values), views=views))
    assert kinds == [PhotoLesson if on_photos else HeadLesson]


@pytest.mark.parametrize(("hidden", "batch_norm"), [(0, "train"), (7, "frozen")])
def test_the_counts_are_the_whole_network_s(lessons, plan, hidden, batch_norm):
    task = plan({**TUNED, "hidden_units": hidden}, {"batch_norm": batch_norm})
    stored, looped = (lessons(task, how)[1] for how in (ALWAYS, NEVER))
    assert stored == looped
    head, fine = stored
    assert head.trainable == (WIDTH * 7 + 7 + 7 * 3 + 3 if hidden else WIDTH * 3 + 3)
    norm = 2 * WIDTH if batch_norm == "train" else 0
    assert fine.trainable == head.trainable + 16 * WIDTH * 9 + WIDTH + norm


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_the_head_starts_from_the_probe(plan, train_task, open_activations, tmp_path, output):
    task = plan({"head_learning_rate": 1e-12}, {"output": output, "epochs": 1})
    stored = train_task(task, ALWAYS)
    (file,) = (tmp_path / "probes").glob("*.npz")
    with open_activations(task) as activations:
        features = activations.look("validation", POOLED)
        start = Course(task, activations, file.parent).start()
    with np.load(file) as kept:
        powers = np.exp(features @ kept["kernel"] + kept["bias"])
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    score = accuracy(probabilities, task.labels["validation"])
    assert stored.epochs[0]["val_accuracy"] == score
    np.testing.assert_allclose(stored.best_answers, probabilities[:, -task.outputs :], atol=1e-5)
    assert list(start) == [CLASSIFIER]
    on_photos = train_task(task, NEVER)
    np.testing.assert_allclose(on_photos.best_answers, stored.best_answers, atol=1e-4)
    assert list(file.parent.glob("*.npz")) == [file]


def test_a_hidden_layer_and_a_random_network_start_at_random(
    make_task, configure, open_activations, tmp_path
):
    task = make_task(configure(hidden_units=4))
    with open_activations(task) as activations:
        assert Course(task, activations, tmp_path / "probes").start() == {}
    scratch = Course(make_task(configure(strategy="from_scratch")), None, tmp_path / "probes")
    assert scratch.start() == {}
    assert [type(scratch._lesson(phase)) for phase in scratch.phases] == [PhotoLesson]
    assert not (tmp_path / "probes").exists()


@pytest.mark.parametrize(
    ("blend", "output"), [("mixup", "softmax"), ("cutmix", "sigmoid"), (None, "softmax")]
)
def test_photos_blended_or_rendered_anew_teach_too(plan, train_task, blend, output):
    """Without a blend: other renditions in every epoch."""
    changes = {blend: 0.4} if blend else {"augment": "light"}
    values = {"output": output, "epochs": 6}
    task = plan({"head_learning_rate": 1.0, **changes}, values, views=None)
    start = _random_head(task.outputs)
    progress = train_task(task, start=_copy(start))
    assert progress.epochs[-1]["val_loss"] < 0.7 * progress.epochs[0]["val_loss"]
    assert progress.best_value >= 0.9
    assert train_task(task, start=_copy(start)).epochs == progress.epochs
