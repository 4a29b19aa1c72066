"""A small network, drawn photos and what a trial needs of them."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from tiny_sweeps import save_backbone

from tlsearch.config.configuration import Configuration
from tlsearch.config.schema import BackboneChoice, Objective, Train
from tlsearch.execution.events import Decision
from tlsearch.store.store import ActivationStore
from tlsearch.training.activations import Activations, Saving
from tlsearch.training.course import Course
from tlsearch.training.fit import Fit, Progress
from tlsearch.training.frozen import frozen_backbone
from tlsearch.training.mixture import Shelf
from tlsearch.training.photos import Photos
from tlsearch.training.task import Task

SIZE, CLASSES = 32, 3
SHARES = {"train": 36, "validation": 12, "test": 9}
ALWAYS, NEVER = Saving(use="always"), Saving(use="never")


def go_on(epoch, metrics, seconds):
    return Decision.CONTINUE


@pytest.fixture(autouse=True)
def _shelf(monkeypatch):
    """No test finds in memory what another one has put there."""
    monkeypatch.setattr("tlsearch.training.activations._SHELF", Shelf())


@pytest.fixture(scope="session")
def tiny_backbone(tmp_path_factory) -> BackboneChoice:
    return BackboneChoice(name=str(save_backbone(tmp_path_factory.mktemp("own") / "tiny.keras")))


@pytest.fixture(scope="session")
def configure(tiny_backbone):
    """Makes a configuration of the small network; without dropout unless it is asked for."""

    def make(**values) -> Configuration:
        plain = {"backbone": tiny_backbone, "image_size": SIZE, "dropout": 0.0}
        return Configuration(**{**plain, **values})

    return make


@pytest.fixture(scope="session")
def photos() -> dict[str, Photos]:
    """Photos of noise around the colour of their class, by split."""
    random = np.random.default_rng(0)
    total = sum(SHARES.values())
    pixels = random.integers(0, 120, (total, SIZE, SIZE, 3), dtype="uint8")
    pixels[np.arange(total), :, :, np.arange(total) % CLASSES] += 100
    contents = [hashlib.sha256(photo.tobytes()).hexdigest() for photo in pixels]
    starts = np.cumsum([0, *SHARES.values()])
    return {
        name: Photos(pixels, np.arange(start, start + n), tuple(contents[start : start + n]))
        for (name, n), start in zip(SHARES.items(), starts, strict=False)
    }


@pytest.fixture(scope="session")
def train() -> Train:
    return Train(epochs=3, head_epochs=1, batch_size=8, early_stopping=None)


@pytest.fixture(scope="session")
def make_task(photos, train):
    """Makes a trial's task of a configuration."""

    def make(configuration: Configuration, **values) -> Task:
        task = Task(
            photos=photos,
            labels={name: it.rows % CLASSES for name, it in photos.items()},
            classes=CLASSES,
            configuration=configuration,
            train=train,
            views=2,
            precision="float32",
            seed=5,
        )
        return replace(task, **values)

    return make


@pytest.fixture
def open_activations(tmp_path):
    """Opens the activations of a task in a store of this test alone."""

    @contextmanager
    def open_(task: Task, saving: Saving = ALWAYS, limit: int = 10**9):
        chosen = task.configuration
        frozen = frozen_backbone(chosen.backbone, chosen.image_size, chosen.pooling, "float32")
        store = ActivationStore(tmp_path / "activations", limit)
        with Activations(store, frozen, task.photos, saving) as activations:
            yield activations

    return open_


@pytest.fixture
def train_task(open_activations, tmp_path):
    """Trains a task; what it reached. The head starts from the probe unless `start` is given."""

    def run(task, saving=ALWAYS, *, objective=None, report=go_on, start=None):
        progress = Progress(objective or Objective())
        with open_activations(task, saving) as activations:
            scratch = task.configuration.strategy == "from_scratch"
            course = Course(task, None if scratch else activations, tmp_path / "probes")
            labels, stopping = task.labels["validation"], task.train.early_stopping
            fit = Fit(progress, task.draws(), labels, stopping, report)
            fit.run(course.phases, course.learner, start or course.start())
        return progress

    return run
