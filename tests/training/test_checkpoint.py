"""Checkpoints: a trial that goes on learns bit for bit what an undisturbed one does, and no damage,
full disk or foreign file keeps it from that."""

from __future__ import annotations

import resource
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest
from conftest import ALWAYS, NEVER

from tlsearch.config.schema import EarlyStopping, Objective
from tlsearch.execution.events import Decision
from tlsearch.training import checkpoint
from tlsearch.training.checkpoint import Checkpoints
from tlsearch.training.course import Course
from tlsearch.training.fit import Fit, Progress
from tlsearch.training.head_learner import HeadLearner
from tlsearch.training.head_model import HeadModel, HeadShape

LOSS = Objective(metric="val_loss", direction="minimize")
TUNED = {"strategy": "fine_tune", "unfreeze": 2, "learning_rate": 3e-3, "dropout": 0.3}
CASES = {
    "a head": ({"hidden_units": 5, "dropout": 0.4, "augment": "light"}, {}, ALWAYS),
    "a head by adamw": ({"dropout": 0.4}, {"optimizer": "adamw"}, ALWAYS),
    "a head by sgd": ({"dropout": 0.4}, {"optimizer": "sgd", "schedule": "constant"}, ALWAYS),
    "blocks on what is stored": ({**TUNED, "augment": "light"}, {"batch_norm": "train"}, ALWAYS),
    "blocks on photos": (TUNED, {}, NEVER),
    "blocks on new renditions": ({**TUNED, "augment": "light"}, {"views": None}, NEVER),
    "blocks on blends": ({**TUNED, "mixup": 0.3}, {"optimizer": "adamw"}, NEVER),
    "from scratch": ({"strategy": "from_scratch", "dropout": 0.3}, {"optimizer": "sgd"}, NEVER),
}
SLOW = ("blocks on photos", "blocks on new renditions", "blocks on blends")


_CASES = [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in CASES]


@pytest.fixture(autouse=True)
def _each_epoch(monkeypatch):
    """The epochs of these tests are quick, and each is to be written."""
    monkeypatch.setattr(checkpoint, "GATHERED", 0.0)


@pytest.fixture
def open_checkpoints(tmp_path):
    """Opens those of a trial; what they warn of is appended to `warnings`."""

    def make(warnings=None, made_by="this trial"):
        return Checkpoints(
            tmp_path / "trial", made_by, [].append if warnings is None else warnings.append
        )

    return make


@pytest.fixture
def go_through(open_activations, tmp_path):
    """Trains a task, from the last checkpoint if there is one: progress, epochs that were told."""

    def run(task, saving, checkpoints, last=None):
        told = []

        def report(epoch, metrics, seconds):
            told.append(epoch)
            return Decision.STOP if epoch == last else Decision.CONTINUE

        with open_activations(task, saving) as activations, checkpoints:
            scratch = task.configuration.strategy == "from_scratch"
            course = Course(task, None if scratch else activations, tmp_path / "probes")
            labels, stopping = task.labels["validation"], task.train.early_stopping
            fit = Fit(Progress(LOSS), task.draws(), labels, stopping, report, checkpoints.save)
            saved = checkpoints.load(LOSS)
            if saved is not None:
                assert fit.resume(saved, course.phases, course.learner)
            fit.run(course.phases, course.learner, course.start())
        return fit.progress, told

    return run


def _assert_same(one, other):
    assert one.epochs == other.epochs
    assert (one.best_epoch, one.best_value) == (other.best_epoch, other.best_value)
    np.testing.assert_array_equal(one.best_answers, other.best_answers)
    assert set(one.best_weights) == set(other.best_weights)
    for name, arrays in one.best_weights.items():
        for mine, theirs in zip(arrays, other.best_weights[name], strict=True):
            np.testing.assert_array_equal(mine, theirs)


@pytest.fixture
def plan(make_task, configure, train):
    """Makes the task of a case."""

    def make(values, settings):
        views = settings.get("views", 2)
        named = {name: value for name, value in settings.items() if name != "views"}
        longer = train.model_copy(update={"epochs": 6, "head_epochs": 2, **named})
        configuration = configure(**{"head_learning_rate": 3e-2, **values})
        return make_task(configuration, train=longer, views=views)

    return make


@pytest.mark.parametrize("case", _CASES)
def test_a_trial_that_goes_on_learns_what_an_undisturbed_one_does(
    plan, open_checkpoints, go_through, tmp_path, case
):
    """Interrupted where the first phase ends, and in the second one."""
    *what, saving = CASES[case]
    task = plan(*what)
    alone = Checkpoints(tmp_path / "undisturbed", "", [].append)
    undisturbed, told = go_through(task, saving, alone)
    assert told == [1, 2, 3, 4, 5, 6]
    for last, expected in ((2, [1, 2]), (5, [3, 4, 5]), (None, [6])):
        progress, told = go_through(task, saving, open_checkpoints(), last)
        assert told == expected
    _assert_same(progress, undisturbed)


def test_patience_goes_on_counting(make_task, configure, train, open_checkpoints, go_through):
    still = configure(head_learning_rate=1e-12)
    update = {"epochs": 10, "early_stopping": EarlyStopping(patience=3)}
    task = make_task(still, train=train.model_copy(update=update))
    go_through(task, ALWAYS, open_checkpoints(), last=3)
    progress, told = go_through(task, ALWAYS, open_checkpoints())
    assert told == [4]
    assert len(progress.epochs) == 4
    assert go_through(task, ALWAYS, open_checkpoints())[1] == []


def test_a_phase_that_is_taught_in_another_way_is_not_gone_on_with(
    make_task, configure, open_checkpoints, go_through, open_activations, tmp_path
):
    task = make_task(configure())
    go_through(task, ALWAYS, open_checkpoints(), last=2)
    with open_activations(task, NEVER) as activations, open_checkpoints() as checkpoints:
        course = Course(task, activations, tmp_path / "probes")
        fit = Fit(Progress(LOSS), task.draws(), task.labels["validation"], None, None)
        assert not fit.resume(checkpoints.load(LOSS), course.phases, course.learner)
        assert fit.progress.epochs == []


def _learner(units=0):
    weights = HeadShape(4, units, 3).initial(np.random.default_rng(0))
    return HeadLearner(HeadModel(weights, 0.0), None, _Steps(), 1)


class _Steps:
    """Stands where an optimizer does, and has taken a few steps."""

    def state(self):
        return {"step": np.array(3)}


def _progress(epochs, seconds=1.0):
    return Progress(
        LOSS,
        epochs=[{"epoch": 1 + number, "val_loss": 1 / (3 + number)} for number in range(epochs)],
        seconds=[seconds] * epochs,
        best_epoch=epochs,
        best_value=1 / (2 + epochs),
        best_weights={"a/b": [np.full((2, 3), epochs, "float32"), np.zeros(3, "float32")]},
        best_answers=np.full((4, 3), 1 / 3, "float32"),
        known={"classifier": [np.ones(3, "float32")]},
        phase=1,
        first=1,
        stale=2,
    )


@pytest.fixture
def write(open_checkpoints):
    """Writes checkpoints of so many epochs, one after the other."""

    def do(*epochs, **named):
        with open_checkpoints(**named) as checkpoints:
            for number in epochs:
                checkpoints.save(_progress(number), _learner())

    return do


@pytest.fixture
def load(open_checkpoints):
    """What is loaded, and the warnings."""

    def do(**named):
        warnings = []
        with open_checkpoints(warnings, **named) as checkpoints:
            return checkpoints.load(LOSS), warnings

    return do


def test_all_of_it_comes_back(write, load, tmp_path):
    write(1, 2, 3)
    names = {file.name for file in (tmp_path / "trial").iterdir()}
    assert names == {"checkpoint-00002.npz", "checkpoint-00003.npz"}
    saved, warnings = load()
    assert warnings == []
    kept, expected = saved.progress, _progress(3)
    for name in ("epochs", "seconds", "best_epoch", "best_value", "phase", "first", "stale"):
        assert getattr(kept, name) == getattr(expected, name)
    assert kept.decision is Decision.CONTINUE
    np.testing.assert_array_equal(kept.best_answers, expected.best_answers)
    for name in ("best_weights", "known"):
        one, other = getattr(kept, name), getattr(expected, name)
        assert one.keys() == other.keys()
        for layer, arrays in one.items():
            for mine, theirs in zip(arrays, other[layer], strict=True):
                np.testing.assert_array_equal(mine, theirs)
    state = _learner().state()
    assert saved.state.keys() == state.keys()
    for name, array in state.items():
        np.testing.assert_array_equal(saved.state[name], array)


def test_seconds_of_earlier_starts_count(open_checkpoints, load):
    progress = _progress(2)
    progress.begun -= 1000
    with open_checkpoints() as checkpoints:
        checkpoints.save(progress, _learner())
    assert 1000 <= load()[0].progress.elapsed < 1100


def test_the_one_before_is_kept_across_starts(open_checkpoints, write, tmp_path):
    write(1, 2)
    with open_checkpoints() as checkpoints:
        checkpoints.load(LOSS)
        checkpoints.save(_progress(3), _learner())
    names = {file.name for file in (tmp_path / "trial").iterdir()}
    assert names == {"checkpoint-00002.npz", "checkpoint-00003.npz"}


def _cut(data, random):
    return data[: int(random.integers(len(data)))]


def _flip(data, random):
    flipped = bytearray(data)
    flipped[int(random.integers(len(data)))] ^= 1 << int(random.integers(8))
    return bytes(flipped)


@pytest.mark.parametrize("harm", [_cut, _flip])
def test_a_damaged_one_gives_way_to_the_one_before(write, load, tmp_path, harm):
    """Wherever the damage is. A flipped bit that no number depends on, as that of a date in the
    archive, may go unnoticed."""
    write(1, 2)
    older, newer = sorted((tmp_path / "trial").iterdir())
    whole, random = newer.read_bytes(), np.random.default_rng(3)
    noticed = 0
    for _ in range(300):
        newer.write_bytes(harm(whole, random))
        saved, warnings = load()
        if saved.progress.best_epoch == 2:
            assert not warnings
            np.testing.assert_array_equal(saved.progress.best_weights["a/b"][0], 2)
            assert saved.progress.epochs == _progress(2).epochs
        else:
            (warning,) = warnings
            assert "checkpoint-00002.npz is damaged" in warning
            assert saved.progress.epochs == _progress(1).epochs
            noticed += 1
    assert noticed == 300 if harm is _cut else noticed > 150
    older.write_bytes(b"")
    newer.write_bytes(whole[:100])
    saved, warnings = load()
    assert saved is None
    assert len(warnings) == 2


def test_what_another_trial_has_left_is_passed_over_and_replaced(write, load, tmp_path):
    write(7, 8, made_by="another trial")
    assert load() == (None, [])
    write(1, 2)
    assert load()[0].progress.best_epoch == 2
    assert len(list((tmp_path / "trial").iterdir())) == 2


def test_quick_epochs_are_gathered(open_checkpoints, load, monkeypatch):
    monkeypatch.setattr(checkpoint, "GATHERED", 0.25)
    with open_checkpoints() as checkpoints:
        for number in range(1, 6):
            checkpoints.save(_progress(number, seconds=0.1), _learner())
    assert load()[0].progress.best_epoch == 3
    with open_checkpoints() as checkpoints:
        stopped = _progress(4, seconds=0.1)
        stopped.decision = Decision.STOP
        checkpoints.save(stopped, _learner())
    assert load()[0].progress.best_epoch == 4


def test_clearing_leaves_nothing(open_checkpoints, tmp_path):
    with open_checkpoints() as checkpoints:
        checkpoints.save(_progress(1), _learner())
        checkpoints.save(_progress(2), _learner())
        (tmp_path / "trial").mkdir(exist_ok=True)
        (tmp_path / "trial" / "writing-1-checkpoint.npz").write_bytes(b"half")
        (tmp_path / "trial" / "history.csv").write_text("epoch")
        checkpoints.clear()
        assert [file.name for file in (tmp_path / "trial").iterdir()] == ["history.csv"]
        checkpoints.save(_progress(1), _learner())
    assert (tmp_path / "trial" / "checkpoint-00001.npz").is_file()


@contextmanager
def _small_files(size):
    """No file of this process can grow beyond so many bytes: the system refuses to write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_cannot_be_written_to_stops_nobody(open_checkpoints, write, load, tmp_path):
    """One warning; the checkpoint that was whole stays; with room again, others are written."""
    write(1)
    warnings = []
    large = partial(_progress, seconds=1.0)
    with open_checkpoints(warnings) as checkpoints:
        checkpoints.load(LOSS)
        with _small_files(2**20):
            for number in (2, 3, 4):
                progress = large(number)
                progress.best_weights = {"large": [np.ones(2**19, "float32")]}
                checkpoints.save(progress, _learner())
            checkpoints._finish_writing()
        assert {file.name for file in (tmp_path / "trial").iterdir()} == {"checkpoint-00001.npz"}
        assert load()[0].progress.best_epoch == 1
        checkpoints.save(large(5), _learner())
    (warning,) = warnings
    assert "no checkpoint can be written" in warning
    names = {file.name for file in (tmp_path / "trial").iterdir()}
    assert names == {"checkpoint-00001.npz", "checkpoint-00005.npz"}
    assert load()[0].progress.best_epoch == 5
