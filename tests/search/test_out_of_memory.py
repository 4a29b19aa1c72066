"""Memory that really runs out: the worker's address space is limited, and a batch does not fit."""

from __future__ import annotations

from pathlib import Path
from statistics import mean, stdev

import pytest
from optuna.trial import FrozenTrial, TrialState
from tiny_jobs import Limited, local_executor
from tiny_tracker import ListTracker, TinyReports, make_recorder

from tlsearch.config.schema import Sweep
from tlsearch.data.dataset import prepare
from tlsearch.execution.notices import Notice
from tlsearch.execution.signals import StopRequest
from tlsearch.paths import Paths
from tlsearch.search.leaderboard import facts
from tlsearch.search.study import SweepStudy
from tlsearch.search.supervisor import Supervisor
from tlsearch.training.job import TrainJob

pytestmark = pytest.mark.slow

MIB = 2**20
ROOM = 500 * MIB
"""Bytes that training may take beside what the framework has: a batch of 64 wants 1.2 GB."""
BATCH, SIZE = 64, 64
LARGE_BATCH, LITTLE_ROOM = 256, 600 * MIB
"""The built-in backbone at 160 px has room for a quarter of such a batch."""
SEEDS = range(3)


def _save_wide(path: Path) -> Path:
    """A network that computes little and remembers much: about 18 MB for each photo."""
    import keras
    from keras import layers

    images = keras.Input((SIZE, SIZE, 3))
    x = layers.Rescaling(1 / 255)(images)
    for number in range(3):
        x = layers.Conv2D(96, 1, name=f"conv_{number}")(x)
        x = layers.BatchNormalization(name=f"norm_{number}")(x)
        x = layers.ReLU(name=f"relu_{number}")(x)
        if number:
            x = layers.MaxPooling2D(name=f"pool_{number}")(x)
    keras.Model(images, x, name="wide").save(path)
    return path


@pytest.fixture
def paths(tmp_path) -> Paths:
    made = Paths(tmp_path / "home")
    made.create()
    return made


def _describe(photos: int, space: dict, train: dict, seed: int = 0) -> Sweep:
    return Sweep.model_validate(
        {
            "version": 1,
            "name": "tiny",
            "data": {
                "source": "generated:flowers",
                "generated": {"photos_per_class": photos, "size": space["image_size"]},
                "split": {"train": 0.6, "validation": 0.2, "test": 0.2, "seed": 7},
            },
            "search": {"pruner": "none", "seed": seed},
            "space": space,
            "budget": {"trials": 1},
            "train": {**train, "early_stopping": None},
        }
    )


def _search(sweep: Sweep, paths: Paths, room: int | None) -> tuple[FrozenTrial, list[Notice]]:
    """The sweep's one trial, in a worker that may grow by so many bytes, and what was noticed."""
    dataset = prepare(sweep.data, paths, sweep.space.image_size.choices[0])
    study, notices = SweepStudy.open(sweep, paths), []
    recorder = make_recorder(ListTracker(), sweep, TinyReports(paths.home), notices.append)
    executor = local_executor(paths.home / "logs")

    def make_job(number, configuration, parts):
        job = TrainJob(number, sweep, configuration, dataset, paths, parts)
        return job if room is None else Limited(number, job, room)

    try:
        supervisor = Supervisor(sweep, study, executor, make_job, recorder, notices.append)
        supervisor.search(StopRequest())
    finally:
        executor.close()
        recorder.close()
    (trial,) = study.trials()
    return trial, notices


def test_the_trial_ends_with_a_smaller_batch_and_the_same_effective_one(tmp_path, paths):
    own = _save_wide(tmp_path / "wide.keras")
    space = {"backbone": str(own), "image_size": SIZE, "strategy": "from_scratch"}
    trial, notices = _search(_describe(30, space, {"epochs": 1, "batch_size": BATCH}), paths, ROOM)
    assert trial.state is TrialState.COMPLETE
    assert facts(trial)["micro_batch"] < BATCH
    assert trial.user_attrs["attempts"] == 1
    halved = [notice.data for notice in notices if notice.event == "batch_halved"]
    assert halved
    assert all(one["batch"] == BATCH for one in halved)


def test_the_accuracy_is_within_what_seeds_make(tmp_path):
    """The whole built-in backbone learns, and reaches far more than chance."""
    space = {"backbone": "ResNet10", "image_size": 160, "strategy": "fine_tune", "unfreeze": 5}
    space |= {"learning_rate": 1e-3, "head_learning_rate": 5e-3}
    train = {"epochs": 8, "batch_size": LARGE_BATCH}

    def reach(seed: int, room: int | None) -> tuple[float, int]:
        home = Paths(tmp_path / f"{seed} {room}")
        home.create()
        trial, _ = _search(_describe(100, space, train, seed), home, room)
        return trial.value, facts(trial).get("micro_batch", LARGE_BATCH)

    whole = [reach(seed, None) for seed in SEEDS]
    parts = [reach(seed, LITTLE_ROOM) for seed in SEEDS]
    assert {batch for _, batch in whole} == {LARGE_BATCH}
    assert all(batch < LARGE_BATCH for _, batch in parts)
    accuracies = [value for value, _ in whole]
    assert min(accuracies) > 0.4
    assert abs(mean(value for value, _ in parts) - mean(accuracies)) <= stdev(accuracies)
