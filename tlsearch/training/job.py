"""Training one trial in a worker: from its configuration to what it learned, and its history."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from tlsearch.backbones.weights import weights_digest
from tlsearch.config.configuration import Configuration
from tlsearch.config.schema import Sweep
from tlsearch.data.dataset import Dataset, pixel_store
from tlsearch.execution.devices import gpus
from tlsearch.execution.events import Decision, EpochEnded, PrefixJudged, Started
from tlsearch.execution.executor import Channel
from tlsearch.paths import Paths
from tlsearch.store.store import ActivationStore
from tlsearch.training.photos import photos
from tlsearch.training.trained import TrainedTrial

if TYPE_CHECKING:
    from tlsearch.training.activations import Activations, Saving
    from tlsearch.training.economy import Verdict
    from tlsearch.training.fit import Progress
    from tlsearch.training.task import Task

State = Literal["complete", "pruned", "interrupted"]
_STATES: dict[Decision, State] = {
    Decision.CONTINUE: "complete",
    Decision.PRUNE: "pruned",
    Decision.STOP: "interrupted",
}


@dataclass(frozen=True)
class TrialResult:
    """How a trial ended. `metrics` are those of its best epoch, `value` its objective."""

    state: State
    value: float
    best_epoch: int
    epochs: int
    metrics: dict[str, float]
    seconds: float
    photos_per_second: float


@dataclass(frozen=True)
class TrainJob:
    """Everything that a worker needs to train one trial.

    The photos must be in the pixel store at the configuration's size.
    """

    trial: int
    sweep: Sweep
    configuration: Configuration
    dataset: Dataset
    paths: Paths

    @property
    def seed(self) -> int:
        """Different for each trial, the same when the sweep is run again."""
        return self.sweep.search.seed * 100_003 + self.trial

    def run(self, channel: Channel) -> TrialResult:
        from tlsearch.training.course import Course
        from tlsearch.training.fit import Fit, Progress

        started = time.perf_counter()
        progress = Progress(self.sweep.objective)

        def report(epoch: int, metrics: Mapping[str, float], seconds: float) -> Decision:
            return channel.ask(EpochEnded(self.trial, epoch, metrics, seconds))

        task = self._task()
        with ExitStack() as resources:
            activations = self._activations(task, channel)
            if activations is not None:
                resources.enter_context(activations)
            course = Course(task, activations, self.paths.probes)
            counts = course.counts()
            channel.send(Started(self.trial, counts.total, counts.trainable))
            stopping, labels = self.sweep.train.early_stopping, task.labels["validation"]
            fit = Fit(progress, task.draws(), labels, stopping, report)
            fit.run(course.phases, course.learner, course.start())
        trained = TrainedTrial(self.paths.sweep(self.sweep.name).trial(self.trial))
        trained.write(
            progress.best_weights,
            pretrained_digest(self.configuration),
            progress.best_answers,
            progress.epochs,
        )
        return self._result(progress, len(task.labels["train"]), time.perf_counter() - started)

    def _task(self) -> Task:
        from tlsearch.training.task import Task

        data, views = self.dataset, self.sweep.data.views
        pixels = pixel_store(self.paths, self.configuration.image_size)
        splits = ("train", "validation")
        return Task(
            photos={split: photos(data, split, pixels) for split in splits},
            labels={split: data.labels_of(split) for split in splits},
            classes=len(data.classes),
            configuration=self.configuration,
            train=self.sweep.train,
            views=None if views == "online" else views,
            precision=precision(self.sweep.train.precision),
            seed=self.seed,
        )

    def _activations(self, task: Task, channel: Channel) -> Activations | None:
        """The frozen backbone's outputs; None for a network that has no pretrained part."""
        from tlsearch.training.activations import Activations
        from tlsearch.training.frozen import frozen_backbone

        chosen = self.configuration
        if chosen.strategy == "from_scratch":
            return None
        frozen = frozen_backbone(chosen.backbone, chosen.image_size, chosen.pooling, task.precision)
        store = ActivationStore(self.paths.activations, self.sweep.store.limit)

        def tell(cut: str, verdict: Verdict) -> None:
            where = self.trial, chosen.backbone.label, chosen.image_size, cut
            channel.send(PrefixJudged(*where, verdict.stores, verdict.bytes_, verdict.why))

        return Activations(store, frozen, task.photos, replace(saving(self.sweep), tell=tell))

    def _result(self, progress: Progress, photos: int, seconds: float) -> TrialResult:
        return TrialResult(
            state=_STATES[progress.decision],
            value=progress.best_value,
            best_epoch=progress.best_epoch,
            epochs=len(progress.epochs),
            metrics=progress.epochs[progress.best_epoch - 1],
            seconds=seconds,
            photos_per_second=photos * len(progress.seconds) / sum(progress.seconds),
        )


def saving(sweep: Sweep) -> Saving:
    """When the trials of a sweep store activations."""
    from tlsearch.training.activations import Saving
    from tlsearch.training.demand import Demand

    demand = Demand(sweep)
    return Saving(use=sweep.store.use, deepest=demand.deepest, expect=demand.of)


def pretrained_digest(configuration: Configuration) -> str:
    """What stands for the weights that a trial did not learn; "" where there are none."""
    if configuration.strategy == "from_scratch":
        return ""
    return weights_digest(configuration.backbone, configuration.image_size)


def precision(wanted: str) -> str:
    """The Keras dtype policy of `train.precision`."""
    if wanted != "auto":
        return wanted
    devices = gpus()
    return "mixed_bfloat16" if devices and devices[0].has_bfloat16 else "float32"
