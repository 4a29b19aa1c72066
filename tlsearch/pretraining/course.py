"""The course of a pretraining: photos, worker, epochs, weights."""

from __future__ import annotations

import signal
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tlsearch.backbones.table import default_image_size
from tlsearch.config.difference import differences
from tlsearch.config.loading import dump
from tlsearch.config.pretraining import Pretraining
from tlsearch.config.schema import PhotoData
from tlsearch.data.dataset import Dataset, prepare
from tlsearch.disk import full_disk
from tlsearch.errors import Interrupted, NoResultError, UsageError
from tlsearch.execution.events import Decision, EpochEnded, Event, Failed, Finished
from tlsearch.execution.failures import DISK_FULL
from tlsearch.execution.local.executor import LocalExecutor
from tlsearch.execution.notices import Notice, Notify
from tlsearch.execution.signals import StopRequest
from tlsearch.paths import Paths
from tlsearch.pretraining.diary import Diary
from tlsearch.pretraining.files import PretrainingFiles, PretrainingResult
from tlsearch.pretraining.job import PretrainJob, stored_size
from tlsearch.redaction import redact_values

FREE: dict[str, Any] = {"output": {"path"}, "tracking": True, "probe": True}
"""What may change between two starts: it decides nothing about the weights."""


@dataclass(frozen=True)
class Pretrained:
    """What a pretraining has made.

    Attributes:
        weights: the file that a sweep can name.
        losses: the mean loss of the first and of the last epoch.
    """

    recipe: Pretraining
    weights: Path
    result: PretrainingResult
    losses: tuple[float, float]


class Course:
    """Carries one recipe from its photos to its weights."""

    def __init__(self, recipe: Pretraining, paths: Paths, notify: Notify, command: str) -> None:
        self._recipe = recipe
        self._paths = paths
        self._files = PretrainingFiles(paths.pretraining(recipe.name))
        self._notify = notify
        self._command = command
        self._diary = Diary(recipe, paths, notify)

    def carry_out(self, stop: StopRequest, *, new: bool) -> Pretrained:
        """Do what is left to do."""
        if new:
            self._files.clear()
        self._hold_recipe()
        done, epochs = self._files.epochs_done(), self._recipe.train.epochs
        facts = {"name": self._recipe.name, "folder": str(self._files.folder)}
        self._notify(Notice("pretraining_opened", {**facts, "done": done, "epochs": epochs}))
        result = self._files.result()
        if result is None:
            result = self._train(stop)
        return self._pretrained(result)

    def _hold_recipe(self) -> None:
        """Epochs are learned by one recipe only; where output and runs go may change."""
        wanted = redact_values(self._recipe.model_dump(mode="json", exclude=FREE))
        changed = differences(redact_values(self._files.definition()) or wanted, wanted)
        if changed:
            raise UsageError(
                f"the pretraining {self._recipe.name!r} on disk was made by a different recipe",
                received="; ".join(changed),
                expected="the recipe that it was begun with",
                hint=f"start over: {self._command} --new, or give it another name: name=...",
            )
        self._files.note_definition(wanted)
        self._files.recipe.write_text(dump(self._recipe), encoding="utf-8")

    def _train(self, stop: StopRequest) -> PretrainingResult:
        job = self._job()
        executor = LocalExecutor(1, self._files.logs)
        try:
            executor.submit(job)
            self._diary.open()
            result = self._follow(executor, stop)
        finally:
            executor.close()
        if not result.complete:
            self._diary.abandon("interrupted", "stopped by the user")
            raise Interrupted(
                f"stopped after {result.epochs} of {self._recipe.train.epochs} epochs",
                signal=stop.signal or signal.SIGINT,
                hint=f"to continue: {self._command}",
            )
        self._deliver(result)
        return result

    def _job(self) -> PretrainJob:
        recipe = self._recipe
        size = recipe.image_size or default_image_size(recipe.backbone.name)
        photos = None if recipe.is_drawn else self._prepare(recipe, size)
        probe = recipe.probe
        watched = None
        if probe is not None:
            # Split alike: what is learned from must not be among the photos that judge.
            labelled = PhotoData(source=probe.source, split=recipe.data.split)
            watched = prepare(labelled, self._paths, probe.image_size or size)
        return PretrainJob(recipe, self._paths, size, photos, watched)

    def _prepare(self, recipe: Pretraining, size: int) -> Dataset:
        labelled = recipe.method == "supervised"
        kept = stored_size(recipe, size)
        dataset = prepare(recipe.data, self._paths, kept, labelled=labelled)
        counts = {split: len(rows) for split, rows in dataset.splits.items()}
        self._notify(Notice("photos_ready", {"photos": counts, "warnings": list(dataset.warnings)}))
        return dataset

    def _follow(self, executor: LocalExecutor, stop: StopRequest) -> PretrainingResult:
        """Answer the worker's epochs until it is done."""
        while True:
            for event in executor.wait(timeout=0.5):
                result = self._handle(event, executor, stop)
                if result is not None:
                    return result

    def _handle(
        self, event: Event, executor: LocalExecutor, stop: StopRequest
    ) -> PretrainingResult | None:
        if isinstance(event, Finished):
            return event.result
        if isinstance(event, Failed):
            self._diary.abandon("failed", event.reason)
            if event.kind == DISK_FULL:
                raise full_disk(self._paths.home, event.reason)
            raise NoResultError(
                f"the pretraining {self._recipe.name!r} failed",
                received=event.reason,
                hint=f"the log is {self._files.logs}; what is done is kept: {self._command}",
            )
        if isinstance(event, EpochEnded):
            executor.answer(event.trial, Decision.STOP if stop else Decision.CONTINUE)
            self._diary.epoch(event.epoch, event.metrics, event.seconds)
            facts = {"epoch": event.epoch, "epochs": self._recipe.train.epochs}
            metrics = dict(event.metrics)
            self._notify(
                Notice("pretraining_epoch", {**facts, "metrics": metrics, "seconds": event.seconds})
            )
        return None

    def _deliver(self, result: PretrainingResult) -> None:
        metrics = {"pictures": float(result.pictures), "parameters": float(result.parameters)}
        self._diary.finish(metrics, self._files.gather())
        self._files.write_result(result)

    def _pretrained(self, result: PretrainingResult) -> Pretrained:
        weights, wanted = self._files.weights, self._recipe.output.path
        if wanted is not None:
            weights = self._files.copy_weights(Path(wanted))
        losses = self._files.history()["loss"]
        ends = float(losses.iloc[0]), float(losses.iloc[-1])
        self._notify(Notice("pretrained", {"weights": str(weights), **asdict(result)}))
        return Pretrained(self._recipe, weights, result, ends)
