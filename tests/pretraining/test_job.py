"""A whole pretraining in this process: repeatable, and the same when it was interrupted."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_sweeps import save_backbone

from tlsearch.backbones.build import build
from tlsearch.config.pretraining import Pretraining
from tlsearch.config.schema import Backbone, PhotoData
from tlsearch.data.dataset import prepare
from tlsearch.errors import NonFiniteLossError
from tlsearch.execution.events import Decision, EpochEnded, Started
from tlsearch.paths import Paths
from tlsearch.pretraining.job import PretrainJob, stored_size

SIZE = 32
PATTERNS = {"patterns": 4, "pictures_per_epoch": 128, "passes": 1, "processes": 1}
STEPS = 8
"""Steps of an epoch: 128 pictures in batches of 16."""
TRAIN = {"epochs": 2, "batch_size": 16, "precision": "float32"}
FLOWERS = {
    "source": "generated:flowers",
    "generated": {"photos_per_class": 8, "size": 48},
    "split": {"train": 0.6, "validation": 0.2, "test": 0.2, "seed": 7},
}


class Supervisor:
    """Hears what the job says and answers each epoch."""

    def __init__(self, stop_after=None):
        self.events = []
        self._stop_after = stop_after

    def send(self, event):
        self.events.append(event)

    def ask(self, event):
        self.events.append(event)
        return Decision.STOP if event.epoch == self._stop_after else Decision.CONTINUE


@pytest.fixture(scope="module", params=["tiny", pytest.param("ResNet10", marks=pytest.mark.slow)])
def backbone(request, tmp_path_factory):
    """A small network of one's own, and the one that comes with tlsearch."""
    if request.param == "tiny":
        return str(save_backbone(tmp_path_factory.mktemp("own") / "tiny.keras"))
    return request.param


def recipe(backbone, **changes):
    values = {
        "version": 1,
        "name": "tiny",
        "backbone": {"name": backbone, "weights": "random"},
        "image_size": SIZE,
        "method": "supervised",
        "data": {"source": "generated:patterns", "patterns": PATTERNS},
        "train": TRAIN,
        **changes,
    }
    return Pretraining.model_validate(values)


def job(home, backbone, *, photos=None, probe_photos=None, **changes):
    made = PretrainJob(recipe(backbone, **changes), Paths(home), SIZE, photos, probe_photos)
    made.files.folder.mkdir(parents=True, exist_ok=True)
    return made


def losses(one):
    return one.files.steps()["loss"].to_numpy()


@pytest.fixture(scope="module")
def undisturbed(backbone, tmp_path_factory):
    """Two epochs in one go: the job, its result and its events."""
    supervisor = Supervisor()
    one = job(tmp_path_factory.mktemp("undisturbed"), backbone)
    return one, one.run(supervisor), supervisor.events


@pytest.fixture(scope="module")
def disturbed(backbone, tmp_path_factory):
    """The same, stopped after its first epoch, then run again: the job and both results."""
    one = job(tmp_path_factory.mktemp("disturbed"), backbone)
    first = one.run(Supervisor(stop_after=1))
    kept = losses(one), sorted(path.name for path in one.files.folder.glob("*.h5"))
    return one, first, kept, one.run(Supervisor())


def test_what_it_says_and_leaves_behind(undisturbed):
    one, result, events = undisturbed
    assert [type(event) for event in events] == [Started, EpochEnded, EpochEnded]
    assert events[0].total_parameters == result.parameters > 1_000
    names = {"loss"} | {f"factor_{n}_{what}" for n in range(3) for what in ("accuracy", "loss")}
    assert [set(event.metrics) for event in events[1:]] == [names, names]
    assert (result.complete, result.epochs, result.pictures) == (True, 2, 256)
    assert result.probes == {}
    assert one.files.epochs_done() == 2
    assert len(losses(one)) == 2 * STEPS


def test_the_history_holds_means_of_steps(undisturbed):
    one, _, events = undisturbed
    means = losses(one).reshape(2, STEPS).mean(axis=1)
    np.testing.assert_allclose(one.files.history()["loss"], means, rtol=1e-6)
    np.testing.assert_allclose([event.metrics["loss"] for event in events[1:]], means, rtol=1e-6)


def test_the_loss_is_the_sum_of_its_factors_and_goes_down(undisturbed):
    history = undisturbed[0].files.history()
    factors = history[[f"factor_{n}_loss" for n in range(3)]].sum(axis=1)
    np.testing.assert_allclose(history["loss"], factors, rtol=1e-4)
    assert history["loss"].is_monotonic_decreasing


def test_a_sweep_can_start_from_the_weights(backbone, undisturbed):
    path = str(undisturbed[0].files.weights)
    trained, fresh = (
        build(Backbone(name=backbone, weights=weights), SIZE).model.get_weights()
        for weights in (path, "random")
    )
    assert all(np.isfinite(values).all() for values in trained)
    assert not any(np.array_equal(a, b) for a, b in zip(trained, fresh, strict=True))


def test_the_same_seed_gives_the_same_steps(undisturbed, disturbed):
    assert losses(undisturbed[0])[:STEPS].tolist() == disturbed[2][0].tolist()


def test_another_seed_gives_others(backbone, undisturbed, tmp_path):
    other = job(tmp_path, backbone, seed=1)
    other.run(Supervisor(stop_after=1))
    assert not np.isclose(losses(other), losses(undisturbed[0])[:STEPS]).any()


def test_stopped_and_run_again_it_ends_as_if_undisturbed(undisturbed, disturbed):
    one, first, kept, second = disturbed
    assert (first.complete, first.epochs, first.pictures) == (False, 1, 128)
    assert kept[1] == ["checkpoint-00001.weights.h5"]
    assert (second.complete, second.epochs) == (True, 2)
    np.testing.assert_allclose(losses(one), losses(undisturbed[0]), atol=1e-4)
    assert second == undisturbed[1]


def test_after_its_end_it_only_writes_the_weights_anew(disturbed):
    one, _, _, second = disturbed
    one.files.weights.unlink()
    supervisor = Supervisor()
    assert one.run(supervisor) == second
    assert [type(event) for event in supervisor.events] == [Started]
    assert one.files.weights.is_file()


def test_a_loss_that_is_not_finite_ends_it_and_keeps_nothing(backbone, tmp_path):
    wild = job(tmp_path, backbone, train={**TRAIN, "learning_rate": 1e38})
    with pytest.raises(NonFiniteLossError, match="in epoch 1") as raised:
        wild.run(Supervisor())
    assert "learning_rate" in raised.value.hint
    assert wild.files.epochs_done() == 0


def test_contrasting_photos_watched_by_a_probe(backbone, tmp_path):
    changes = {
        "method": "simclr",
        "data": FLOWERS,
        "train": {**TRAIN, "epochs": 1, "batch_size": 8},
        "probe": {"source": "generated:flowers"},
    }
    paths, data = Paths(tmp_path), PhotoData.model_validate(FLOWERS)
    photos = prepare(data, paths, stored_size(recipe(backbone, **changes), SIZE), labelled=False)
    watched = prepare(data, paths, SIZE)
    supervisor = Supervisor()
    one = job(tmp_path, backbone, photos=photos, probe_photos=watched, **changes)
    result = one.run(supervisor)
    count = len(photos.splits["train"]) // 8
    assert (result.complete, result.pictures) == (True, count * 8)
    assert len(losses(one)) == count
    assert 0 < losses(one)[0] < 10  # Chance is the logarithm of 15.
    assert set(result.probes) == {0, 1}
    assert all(0 <= accuracy <= 1 for accuracy in result.probes.values())
    assert supervisor.events[-1].metrics["probe_accuracy"] == result.probes[1]


def test_learning_the_labels_of_photos(backbone, tmp_path):
    changes = {"data": FLOWERS, "train": {**TRAIN, "batch_size": 8}}
    size = stored_size(recipe(backbone, **changes), SIZE)
    photos = prepare(PhotoData.model_validate(FLOWERS), Paths(tmp_path), size)
    supervisor = Supervisor()
    one = job(tmp_path, backbone, photos=photos, **changes)
    assert one.run(supervisor).complete
    assert set(supervisor.events[-1].metrics) == {"loss", "accuracy"}
    assert len(losses(one)) == 2 * (len(photos.splits["train"]) // 8)
    assert losses(one)[0] == pytest.approx(np.log(5), abs=1)  # Chance among five kinds.
