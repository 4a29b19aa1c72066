"""What a pretraining leaves on disk, at whatever moment it was killed."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from tlsearch.backbones.build import build
from tlsearch.config.schema import Backbone
from tlsearch.errors import UsageError
from tlsearch.pretraining.files import PretrainingFiles, PretrainingResult

RESULT = PretrainingResult(
    complete=True, epochs=2, pictures=64, parameters=9, probes={0: 0.25, 2: 0.5}
)


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "deep" / "tiny"
    folder.mkdir(parents=True)
    return PretrainingFiles(folder)


@pytest.fixture(scope="module")
def model():
    """A convolution, a batch norm and a dense layer, trained for a step."""
    images = keras.Input((4, 4, 3))
    x = layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same")(images))
    model = keras.Model(images, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    model.compile("adam", "mse", jit_compile=False)
    random = np.random.default_rng(0)
    model.train_on_batch(random.normal(size=(8, 4, 4, 3)), random.normal(size=(8, 2)))
    return model


def end(files, model, epoch, losses=(2.0, 1.0)):
    row = {"epoch": epoch, "loss": float(np.mean(losses)), "seconds": 0.5}
    files.end_epoch(model, row, losses)


def names(files):
    return sorted(path.name for path in files.folder.iterdir())


def test_nothing_is_there_at_first(tmp_path):
    files = PretrainingFiles(tmp_path / "absent")
    assert files.epochs_done() == 0
    assert files.history().empty
    assert files.steps().empty
    assert files.probes() == {}
    assert (files.result(), files.definition(), files.run_id()) == (None, None, None)


def test_epochs_and_steps_are_tables(files, model):
    end(files, model, 1, (3.0, 2.0))
    end(files, model, 2, (1.5, 0.5))
    history, steps = files.history(), files.steps()
    assert files.epochs_done() == 2
    assert history.columns.tolist() == ["epoch", "loss", "seconds"]
    assert history["epoch"].tolist() == [1, 2]
    assert history["loss"].tolist() == [2.5, 1.0]
    assert steps.columns.tolist() == ["epoch", "step", "loss"]
    assert steps.to_numpy().tolist() == [[1, 1, 3.0], [1, 2, 2.0], [2, 3, 1.5], [2, 4, 0.5]]
    assert {str(steps[name].dtype) for name in ("epoch", "step")} == {"int64"}


def test_probes_by_epoch(files):
    for epoch, accuracy in ((0, 0.25), (5, 0.5), (5, 0.75)):
        files.add_probe(epoch, accuracy)
    assert files.probes() == {0: 0.25, 5: 0.75}


def test_only_the_last_checkpoint_is_kept(files, model):
    for epoch in (1, 2, 3):
        end(files, model, epoch)
    assert names(files) == ["checkpoint-00003.weights.h5", "history.csv", "steps.csv"]
    assert files.checkpoint(3).is_file()


def test_a_checkpoint_without_its_row_does_not_count(files, model):
    """So it is after a kill between the two."""
    end(files, model, 1)
    model.save_weights(files.checkpoint(2))
    assert files.epochs_done() == 1
    assert files.checkpoint(1).is_file()
    end(files, model, 2)
    assert files.epochs_done() == 2
    assert [path.name for path in files.folder.glob("*.h5")] == [files.checkpoint(2).name]


def test_steps_without_their_epoch_are_replaced(files, model):
    """So it is after a kill between the steps' table and the history."""
    end(files, model, 1)
    before = (files.folder / "history.csv").read_bytes()
    end(files, model, 2, (9.0, 9.0))
    (files.folder / "history.csv").write_bytes(before)
    assert files.epochs_done() == 1
    end(files, model, 2, (0.5, 0.25))
    assert files.steps()["loss"].tolist() == [2.0, 1.0, 0.5, 0.25]
    assert files.steps()["step"].tolist() == [1, 2, 3, 4]


def test_of_rows_written_twice_the_last_counts(files):
    table = "epoch,loss,seconds\n1,3.0,1\n2,2.0,1\n2,1.0,1\n"
    (files.folder / "history.csv").write_text(table)
    assert files.epochs_done() == 2
    assert files.history()["loss"].tolist() == [3.0, 1.0]


def test_a_checkpoint_holds_the_optimizer_too(files, model):
    end(files, model, 1)
    other = keras.models.clone_model(model)
    other.compile("adam", "mse", jit_compile=False)
    other.optimizer.build(other.trainable_variables)
    other.load_weights(files.checkpoint(1))
    for ours, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
        assert np.array_equal(ours, theirs)
    assert int(other.optimizer.iterations) == 1
    for ours, theirs in zip(model.optimizer.variables, other.optimizer.variables, strict=True):
        assert np.array_equal(ours, theirs)


def test_half_precision_takes_half_the_room_and_changes_little(files):
    """A backbone is built from either file; batch norms come through untouched."""
    keras.utils.set_random_seed(1)
    whole = build(Backbone(name="ResNet10", weights="random"), 32).model
    files.write_weights(whole, "float32")
    large = files.weights.stat().st_size
    files.write_weights(whole, "float16")
    assert files.weights.stat().st_size < 0.65 * large
    assert names(files) == [files.weights.name]
    halved = build(Backbone(name="ResNet10", weights=str(files.weights)), 32).model
    for ours, theirs in zip(whole.get_weights(), halved.get_weights(), strict=True):
        assert theirs.dtype == np.float32
        np.testing.assert_allclose(theirs, ours, rtol=1e-3, atol=1e-6)
        assert np.array_equal(theirs, ours) == (ours.ndim < 2)


def test_single_precision_changes_nothing(files):
    keras.utils.set_random_seed(1)
    whole = build(Backbone(name="ResNet10", weights="random"), 32).model
    files.write_weights(whole, "float32")
    again = build(Backbone(name="ResNet10", weights=str(files.weights)), 32).model
    for ours, theirs in zip(whole.get_weights(), again.get_weights(), strict=True):
        assert np.array_equal(ours, theirs)


def test_how_it_ended_is_read_as_it_was_written(files):
    files.write_result(RESULT)
    assert files.result() == RESULT
    files.note_definition({"seed": 3})
    files.note_run("abc")
    assert (files.definition(), files.run_id()) == ({"seed": 3}, "abc")
    assert names(files) == ["definition.json", "result.json", "run.json"]


def test_starting_over_forgets_everything_but_logs_and_lock(files, model):
    end(files, model, 1)
    files.add_probe(0, 0.5)
    files.write_result(RESULT)
    files.recipe.write_text("seed: 1")
    files.logs.mkdir()
    files.lock.touch()
    files.clear()
    assert names(files) == ["logs", "running.lock"]


def test_what_is_worth_keeping_is_gathered_anew(files, model):
    files.add_probe(0, 0.5)
    files.gather()
    files.clear()
    end(files, model, 1)
    files.write_weights(model, "float32")
    files.recipe.write_text("seed: 1")
    gathered = sorted(path.name for path in files.gather().iterdir())
    assert gathered == ["backbone.weights.h5", "history.csv", "recipe.yaml", "steps.csv"]


def test_weights_are_put_where_they_are_wanted(files, tmp_path):
    files.weights.write_bytes(b"weights")
    wanted = tmp_path / "new" / "my.weights.h5"
    assert files.copy_weights(wanted) == wanted
    assert [path.name for path in wanted.parent.iterdir()] == ["my.weights.h5"]
    assert wanted.read_bytes() == b"weights"


def test_weights_that_cannot_be_put_there(files, tmp_path):
    files.weights.write_bytes(b"weights")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be written") as raised:
        files.copy_weights(tmp_path / "file" / "my.weights.h5")
    assert str(files.weights) in raised.value.hint
