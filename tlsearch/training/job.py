"""Training one trial in a worker: from its configuration to what it learned, and its history."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from tlsearch.backbones.weights import weights_digest
from tlsearch.config.configuration import Configuration
from tlsearch.config.schema import Sweep
from tlsearch.data.dataset import Dataset, pixel_store
from tlsearch.errors import NonFiniteLossError
from tlsearch.execution.devices import gpus
from tlsearch.execution.events import Decision, EpochEnded, PrefixJudged, Resumed, Started, Warned
from tlsearch.execution.executor import Channel
from tlsearch.paths import Paths
from tlsearch.training.photos import photos
from tlsearch.training.trained import TrainedTrial

if TYPE_CHECKING:
    from tlsearch.training.activations import Activations, Saving
    from tlsearch.training.checkpoint import Checkpoints
    from tlsearch.training.course import Course
    from tlsearch.training.economy import Verdict
    from tlsearch.training.fit import Fit, Progress
    from tlsearch.training.lesson import Counts
    from tlsearch.training.task import Task

FORMAT = 1
"""To be raised when the same trial would learn something else, so that what an earlier version
left half done is not gone on with."""
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

    parts: in how many parts the network is shown each batch, where memory does not hold more;
    study: stands for the study, so that one that is started over finds nothing of the old one.
    """

    trial: int
    sweep: Sweep
    configuration: Configuration
    dataset: Dataset
    paths: Paths
    parts: int = 1
    study: str = ""

    @property
    def seed(self) -> int:
        """Different for each trial, the same when the sweep is run again."""
        return self.sweep.search.seed * 100_003 + self.trial

    def run(self, channel: Channel) -> TrialResult:
        """Train, or go on from the last checkpoint; what is finished already is only told again."""
        from tlsearch.training.checkpoint import Checkpoints

        trained = TrainedTrial(self.paths.sweep(self.sweep.name).trial(self.trial), self.study)
        pretrained = pretrained_digest(self.configuration)
        made_by = self._made_by(pretrained)

        def warn(text: str) -> None:
            print(text, flush=True)
            channel.send(Warned(self.trial, text))

        with Checkpoints(trained.folder, made_by, warn) as checkpoints:
            finished = trained.result(made_by)
            if finished is not None:
                checkpoints.clear()
                return self._tell_again(finished, channel)
            progress, counts = self._train(checkpoints, channel)
            result = self._result(progress)
            if result.state == "interrupted":
                return result
            answers = progress.best_answers
            trained.write(progress.best_weights, pretrained, answers, progress.epochs)
            facts = {"epochs": progress.epochs, "seconds": progress.seconds}
            told = {"result": asdict(result), "counts": asdict(counts)}
            trained.write_result(made_by, {**told, **facts})
            checkpoints.clear()
        return result

    def _train(self, checkpoints: Checkpoints, channel: Channel) -> tuple[Progress, Counts]:
        """What came of the trial, and how large its network is."""
        from tlsearch.training.course import Course
        from tlsearch.training.fit import Fit, Progress

        def report(epoch: int, metrics: Mapping[str, float], seconds: float) -> Decision:
            return channel.ask(EpochEnded(self.trial, epoch, metrics, seconds))

        progress, task = Progress(self.sweep.objective), self._task()
        with ExitStack() as resources:
            activations = self._activations(task, channel)
            if activations is not None:
                resources.enter_context(activations)
            course = Course(task, activations, self.paths.probes)
            counts = course.counts()
            channel.send(Started(self.trial, counts.total, counts.trainable))
            stopping, labels = self.sweep.train.early_stopping, task.labels["validation"]
            fit = Fit(progress, task.draws(), labels, stopping, report, checkpoints.save)
            self._resume(fit, course, checkpoints, channel)
            try:
                fit.run(course.phases, course.learner, course.start())
            except NonFiniteLossError:
                checkpoints.clear()
                raise
        return fit.progress, counts

    def _resume(self, fit: Fit, course: Course, checkpoints: Checkpoints, channel: Channel) -> None:
        """Go on from the last checkpoint, if there is one that fits."""
        saved = checkpoints.load(self.sweep.objective)
        if saved is None:
            return
        if not fit.resume(saved, course.phases, course.learner):
            print("the checkpoint is of another way to teach the phase: a fresh start", flush=True)
            checkpoints.clear()
            return
        done = saved.progress
        event = Resumed(self.trial, _metrics(done.epochs), done.seconds)
        done.decision = channel.ask(event)

    def _tell_again(self, finished: dict[str, Any], channel: Channel) -> TrialResult:
        """Say what an earlier start has said of a trial that was not told to be over."""
        counts = finished["counts"]
        channel.send(Started(self.trial, counts["total"], counts["trainable"]))
        channel.ask(Resumed(self.trial, _metrics(finished["epochs"]), finished["seconds"]))
        return TrialResult(**finished["result"])

    def _made_by(self, pretrained: str) -> str:
        """Stands for everything that decides what the trial learns.

        Args:
            pretrained: the digest of the weights that it starts from.
        """
        sweep = self.sweep
        decides = {
            "format": FORMAT,
            "study": self.study,
            "seed": self.seed,
            "configuration": self.configuration.model_dump(mode="json"),
            "train": sweep.train.model_dump(mode="json"),
            "precision": precision(sweep.train.precision),
            "objective": sweep.objective.model_dump(mode="json"),
            "views": sweep.data.views,
            "photos": self.dataset.digest,
            "pretrained": pretrained,
            "backend": os.environ.get("KERAS_BACKEND", ""),
        }
        return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()

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
            parts=self.parts,
        )

    def _activations(self, task: Task, channel: Channel) -> Activations | None:
        """The frozen backbone's outputs; None for a network that has no pretrained part."""
        from tlsearch.training.activations import BATCH, Activations, open_store
        from tlsearch.training.frozen import frozen_backbone

        chosen = self.configuration
        if chosen.strategy == "from_scratch":
            return None
        frozen = frozen_backbone(chosen.backbone, chosen.image_size, chosen.pooling, task.precision)

        def tell(cut: str, verdict: Verdict) -> None:
            where = self.trial, chosen.backbone.label, chosen.image_size, cut
            channel.send(PrefixJudged(*where, verdict.stores, verdict.bytes_, verdict.why))

        kept = replace(saving(self.sweep), tell=tell, batch=-(-BATCH // self.parts))
        return Activations(open_store(self.sweep, self.paths), frozen, task.photos, kept)

    def _result(self, progress: Progress) -> TrialResult:
        photos = len(self.dataset.splits["train"])
        return TrialResult(
            state=_STATES[progress.decision],
            value=progress.best_value,
            best_epoch=progress.best_epoch,
            epochs=len(progress.epochs),
            metrics=progress.epochs[progress.best_epoch - 1],
            seconds=progress.elapsed,
            photos_per_second=photos * len(progress.seconds) / sum(progress.seconds),
        )


def _metrics(epochs: list[dict[str, float]]) -> list[dict[str, float]]:
    """Of each epoch, without its number."""
    return [{name: epoch[name] for name in epoch if name != "epoch"} for epoch in epochs]


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
