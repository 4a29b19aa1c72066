"""The course of one trial: its phases, how each is taught, and what the head starts from."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path

import numpy as np

from tlsearch.training.activations import Activations
from tlsearch.training.head import POOLED
from tlsearch.training.head_lesson import HeadLesson
from tlsearch.training.keras_lessons import PhotoLesson, SuffixLesson
from tlsearch.training.learner import Learner
from tlsearch.training.lesson import Counts, Lesson
from tlsearch.training.phases import Phase, phases
from tlsearch.training.probe import FORMAT, recall_or_fit
from tlsearch.training.task import Task
from tlsearch.training.views import View
from tlsearch.training.weights import Weights


class Course:
    """Everything that `Fit` needs to train one trial.

    Args:
        activations: of the trial's frozen backbone; None where it has none.
        probes: the folder in which probes are kept.
    """

    def __init__(self, task: Task, activations: Activations | None, probes: Path) -> None:
        self._task = task
        self._activations = activations
        self._probes = probes
        self._lessons: dict[Phase, Lesson] = {}

    @cached_property
    def phases(self) -> list[Phase]:
        chosen, stored = self._task.configuration, self._activations
        cut = None
        # Only where it is wanted: a backbone from a file is built to tell its blocks.
        if stored is not None and chosen.strategy == "fine_tune":
            cut = stored.frozen.boundary(chosen.unfreeze or 0)
        return phases(chosen, self._task.train, cut)

    def counts(self) -> Counts:
        """How large the network is, as its last phase trains it."""
        return self._lesson(self.phases[-1]).counts()

    def learner(self, phase: Phase, known: Weights) -> Learner:
        """What trains a phase, starting from what was learned before."""
        return self._lesson(phase).learner(known)

    def start(self) -> Weights:
        """The probe's solution as the head; nothing where the head has a hidden layer, whose start
        is random, and for a network that is all random."""
        stored, task = self._activations, self._task
        if stored is None or task.configuration.hidden_units:
            return {}
        labels = task.labels["train"]
        seen = hashlib.sha256(stored.frozen.key(POOLED, View().name).digest.encode())
        seen.update(task.photos["train"].digest.encode())
        seen.update(labels.tobytes() + f"format {FORMAT}".encode())

        def load() -> tuple[np.ndarray, np.ndarray]:
            return stored.look("train", POOLED), labels

        probe = recall_or_fit(self._probes / f"{seen.hexdigest()}.npz", load)
        return probe.as_head(task.outputs)

    def _lesson(self, phase: Phase) -> Lesson:
        if phase not in self._lessons:
            self._lessons[phase] = self._choose(phase)
        return self._lessons[phase]

    def _choose(self, phase: Phase) -> Lesson:
        """The lightest way to teach a phase."""
        task, stored = self._task, self._activations
        if phase.cut is None or stored is None or task.needs_photos:
            return PhotoLesson(task, phase)
        if not stored.keeps(phase.cut, task.shown):
            return PhotoLesson(task, phase)
        if phase.cut == POOLED:
            return HeadLesson(task, phase, stored)
        return SuffixLesson(task, phase, stored)
