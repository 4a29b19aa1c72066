"""Memory that really runs out: the worker's address space is limited, and a batch does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest
from optuna.trial import TrialState
from tiny_jobs import Limited, local_executor
from tiny_tracker import ListTracker, TinyReports, make_recorder

from tlsearch.config.schema import Sweep
from tlsearch.data.dataset import prepare
from tlsearch.execution.signals import StopRequest
from tlsearch.paths import Paths
from tlsearch.search.leaderboard import facts
from tlsearch.search.study import SweepStudy
from tlsearch.search.supervisor import Supervisor
from tlsearch.training.job import TrainJob

pytestmark = pytest.mark.slow

ROOM = 500 * 2**20
"""Bytes that training may take beside what the framework has: a batch of 64 wants 1.2 GB."""
BATCH, SIZE = 64, 64


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


def test_the_trial_ends_with_a_smaller_batch_and_the_same_effective_one(tmp_path, paths):
    own = _save_wide(tmp_path / "wide.keras")
    sweep = Sweep.model_validate(
        {
            "version": 1,
            "name": "tiny",
            "data": {
                "source": "generated:flowers",
                "generated": {"photos_per_class": 30, "size": SIZE},
                "split": {"train": 0.6, "validation": 0.2, "test": 0.2, "seed": 7},
            },
            "search": {"pruner": "none"},
            "space": {"backbone": str(own), "image_size": SIZE, "strategy": "from_scratch"},
            "budget": {"trials": 1},
            "train": {"epochs": 1, "batch_size": BATCH, "early_stopping": None},
        }
    )
    dataset = prepare(sweep.data, paths, SIZE)
    study, notices = SweepStudy.open(sweep, paths), []
    recorder = make_recorder(ListTracker(), sweep, TinyReports(tmp_path), notices.append)
    executor = local_executor(tmp_path / "logs")

    def make_job(number, configuration, parts):
        job = TrainJob(number, sweep, configuration, dataset, paths, parts)
        return Limited(number, job, ROOM)

    try:
        supervisor = Supervisor(sweep, study, executor, make_job, recorder, notices.append)
        supervisor.search(StopRequest())
    finally:
        executor.close()
        recorder.close()
    (trial,) = study.trials()
    assert trial.state is TrialState.COMPLETE
    assert facts(trial)["micro_batch"] < BATCH
    assert trial.user_attrs["attempts"] == 1
    halved = [notice.data for notice in notices if notice.event == "batch_halved"]
    assert halved
    assert all(one["batch"] == BATCH for one in halved)
