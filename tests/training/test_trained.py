"""A trained trial on the disk: what it learned, over the pretrained weights, is the network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tlsearch.config.schema import Objective
from tlsearch.errors import WeightsError
from tlsearch.training.head_model import HeadShape
from tlsearch.training.job import pretrained_digest
from tlsearch.training.judging import accuracy
from tlsearch.training.network import as_probabilities, build_network
from tlsearch.training.trained import TrainedTrial
from tlsearch.training.weights import count, restore

LOSS = Objective(metric="val_loss", direction="minimize")
HEAD = {"classifier/0", "classifier/1"}
CONV_3, CONV_2 = {"conv_3/0", "conv_3/1"}, {"conv_2/0", "conv_2/1"}
NORM_3 = {f"norm_3/{number}" for number in range(4)}


def _start(task):
    """A random head: the probe leaves so little to learn that no later epoch may be better."""
    chosen = task.configuration
    if chosen.strategy == "from_scratch":
        return {}
    return HeadShape(32, chosen.hidden_units, task.outputs).initial(np.random.default_rng(0))


@pytest.fixture
def keep(train_task, tmp_path):
    """Trains a task and writes it: its files, what the fit reached."""

    def make(task):
        progress = train_task(task, objective=LOSS, start=_start(task))
        trained = TrainedTrial(tmp_path / "trial")
        assert not trained.is_whole
        digest = pretrained_digest(task.configuration)
        trained.write(progress.best_weights, digest, progress.best_answers, progress.epochs)
        assert trained.is_whole
        return trained, progress

    return make


def _assemble(task, trained):
    """The whole network of photos in, as export has it."""
    model = build_network(task.configuration, task.classes, task.train)
    restore(model, trained.weights(pretrained_digest(task.configuration)))
    return as_probabilities(model)


def _ask(task, model):
    photos = task.photos["validation"]
    return model.predict_on_batch(photos.take(np.arange(len(photos))))


@pytest.mark.parametrize(
    ("configuration", "names"),
    [
        ({"augment": "light", "dropout": 0.3}, HEAD),
        ({"hidden_units": 5, "pooling": "max"}, HEAD | {"hidden/0", "hidden/1"}),
    ],
    ids=["plain", "hidden and max"],
)
def test_the_whole_network_answers_as_its_head_did(
    make_task, configure, keep, configuration, names
):
    task = make_task(configure(head_learning_rate=3e-2, **configuration))
    _compare(task, *keep(task), names, 1e-5)


@pytest.mark.parametrize(
    ("unfreeze", "batch_norm", "names"),
    [
        (1, "frozen", HEAD | CONV_3),
        (2, "frozen", HEAD | CONV_3 | CONV_2),
        (1, "train", HEAD | CONV_3 | NORM_3),
    ],
    ids=["one block", "two blocks", "batch norm"],
)
def test_the_whole_network_answers_as_its_blocks_did(
    plan_blocks, keep, unfreeze, batch_norm, names
):
    """Up to half precision: the trial never saw more of what lies below."""
    task = plan_blocks(unfreeze, batch_norm)
    trained, progress = keep(task)
    assert progress.best_epoch > task.train.head_epochs
    _compare(task, trained, progress, names, 2e-3)


@pytest.fixture
def plan_blocks(make_task, configure, train):
    def make(unfreeze, batch_norm):
        rates = {"head_learning_rate": 1e-3, "learning_rate": 1e-2}
        configuration = configure(strategy="fine_tune", unfreeze=unfreeze, **rates)
        return make_task(configuration, train=train.model_copy(update={"batch_norm": batch_norm}))

    return make


def _compare(task, trained, progress, names, tolerance):
    with np.load(trained.folder / "learned.npz") as file:
        assert set(file) == names | {"backbone"}
    answers = _ask(task, _assemble(task, trained))
    np.testing.assert_allclose(answers, progress.best_answers, atol=tolerance)
    untrained = _ask(task, build_network(task.configuration, task.classes, task.train))
    assert np.abs(untrained - answers).max() > 50 * tolerance


def test_from_scratch_everything_is_kept(make_task, configure, keep):
    task = make_task(configure(strategy="from_scratch", head_learning_rate=1e-2))
    trained, progress = keep(task)
    model = _assemble(task, trained)
    assert count(trained.weights("")) == model.count_params()
    np.testing.assert_allclose(_ask(task, model), progress.best_answers, atol=1e-5)


def test_a_sigmoid_is_kept_as_two_columns(make_task, configure, train, keep):
    labels = {"train": np.arange(36) % 3 // 2, "validation": np.arange(12) % 3 // 2}
    sigmoid = train.model_copy(update={"output": "sigmoid"})
    task = replace(make_task(configure(), train=sigmoid), labels=labels, classes=2)
    trained, progress = keep(task)
    assert progress.best_answers.shape == (12, 1)
    both = trained.validation()
    assert both.shape == (12, 2)
    np.testing.assert_allclose(both.sum(axis=1), 1, atol=1e-6)
    assert (both.argmax(1) == labels["validation"]).mean() == pytest.approx(
        accuracy(progress.best_answers, labels["validation"])
    )
    np.testing.assert_allclose(_ask(task, _assemble(task, trained)), both, atol=1e-5)


WEIGHTS = {
    "conv": [np.arange(6, dtype="float32").reshape(2, 3), np.zeros(3, "float32")],
    "block_1/norm": [np.full(2, value, "float32") for value in range(4)],
}
ANSWERS = np.array([[0.25, 0.75], [0.5, 0.5]], "float32")
EPOCHS = [{"epoch": 1, "loss": 0.5, "val_loss": 0.25}, {"epoch": 2, "loss": 0.4, "val_loss": 0.3}]


@pytest.fixture
def written(tmp_path):
    trained = TrainedTrial(tmp_path / "trial")
    trained.write(WEIGHTS, "a" * 64, ANSWERS, EPOCHS)
    return trained


def test_what_was_written_is_read(written):
    weights = written.weights("a" * 64)
    assert {name: len(arrays) for name, arrays in weights.items()} == {"conv": 2, "block_1/norm": 4}
    for name, arrays in WEIGHTS.items():
        for one, other in zip(arrays, weights[name], strict=True):
            np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(written.validation(), ANSWERS)
    assert written.history().to_dict("records") == EPOCHS
    names = {file.name for file in written.folder.iterdir()}
    assert names == {"learned.npz", "validation.npz", "history.csv"}


def test_what_another_study_has_left_is_not_there(written):
    written = replace(written, study="old")
    written.write_result("seed 1", {"epochs": EPOCHS})
    for study in ("old", ""):
        mine = replace(written, study=study)
        assert (mine.is_whole, mine.has_weights) == (True, True)
    other = replace(written, study="new")
    assert (other.is_whole, other.has_weights) == (False, False)
    other.write({"conv": WEIGHTS["conv"]}, "c" * 64, ANSWERS, EPOCHS)
    assert not other.has_weights
    other.write_result("seed 2", {})
    assert (other.has_weights, written.has_weights) == (True, False)


@pytest.mark.parametrize("noted", [None, '{"made_by": "seed 1"}'], ids=["nothing", "no study"])
def test_what_an_earlier_version_has_left_counts(written, noted):
    if noted is not None:
        (written.folder / "result.json").write_text(noted)
    mine = replace(written, study="mine")
    assert (mine.is_whole, mine.has_weights) == (True, True)


def test_a_result_is_of_what_it_was_made_by(written):
    assert written.result("seed 1") is None
    written.write_result("seed 1", {"epochs": EPOCHS})
    assert written.result("seed 1")["epochs"] == EPOCHS
    assert written.result("seed 2") is None
    written.drop_weights()
    assert written.result("seed 1") is None


@pytest.mark.parametrize("digest", ["b" * 64, ""])
def test_other_pretrained_weights_are_refused(written, digest):
    with pytest.raises(WeightsError, match="not those that the trial was trained on") as caught:
        written.weights(digest)
    assert caught.value.expected == f"digest {'a' * 12}"


def test_another_backbone_file_is_another_digest(configure, tmp_path):
    mine = configure()
    changed = tmp_path / "changed.keras"
    changed.write_bytes(Path(mine.backbone.name).read_bytes() + b"\0")
    backbone = mine.backbone.model_copy(update={"name": str(changed)})
    other = mine.model_copy(update={"backbone": backbone})
    assert pretrained_digest(mine) != pretrained_digest(other)
    scratch = mine.model_copy(update={"strategy": "from_scratch"})
    assert pretrained_digest(scratch) == ""


def test_writing_again_replaces_all_of_it(written):
    written.write({"conv": WEIGHTS["conv"]}, "c" * 64, ANSWERS[:1], EPOCHS[:1])
    assert list(written.weights("c" * 64)) == ["conv"]
    assert len(written.validation()) == len(written.history()) == 1
