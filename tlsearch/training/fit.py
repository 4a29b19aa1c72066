"""The fit of a trial: its phases one after the other, epoch by epoch, the best one kept."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from tlsearch.config.schema import EarlyStopping, Objective
from tlsearch.errors import NonFiniteLossError
from tlsearch.execution.events import Decision
from tlsearch.training.draws import Draws
from tlsearch.training.learner import Learned, Learner
from tlsearch.training.phases import Phase
from tlsearch.training.weights import Weights

Report = Callable[[int, Mapping[str, float], float], Decision]
"""Told the epoch (from 1), its metrics and its seconds; says how to go on."""
MakeLearner = Callable[[Phase, Weights], Learner]
"""What trains a phase, starting from what was learned before."""


@dataclass
class Progress:
    """What a fit has reached so far, over all its phases.

    best_weights: all that was learned up to the best epoch; best_answers: its probabilities
    float32 [n, outputs] for the validation split.
    """

    objective: Objective
    epochs: list[dict[str, float]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    best_epoch: int = 0
    best_value: float = math.nan
    best_weights: Weights = field(default_factory=dict)
    best_answers: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), "float32"))
    decision: Decision = Decision.CONTINUE

    def improves(self, value: float) -> bool:
        if math.isnan(self.best_value):
            return True
        sign = 1 if self.objective.direction == "maximize" else -1
        return sign * value > sign * self.best_value


class Fit:
    """Trains one trial.

    Args:
        draws: what each epoch shows.
        labels: int64 [n] of the validation split.
        stopping: how long a phase goes on without a better objective; None is to its end.
    """

    def __init__(
        self,
        progress: Progress,
        draws: Draws,
        labels: np.ndarray,
        stopping: EarlyStopping | None,
        report: Report,
    ) -> None:
        self._progress = progress
        self._draws = draws
        self._labels = labels
        self._stopping = stopping
        self._report = report

    def run(self, phases: list[Phase], make_learner: MakeLearner, start: Weights) -> None:
        """Train through the phases; `progress` has what came of it.

        Raises:
            NonFiniteLossError: the loss is not finite.
        """
        known = start
        for phase in phases:
            learner = make_learner(phase, known)
            self._train(learner, phase.epochs, known)
            if self._progress.decision is not Decision.CONTINUE:
                break
            known = {**known, **learner.weights()}

    def _train(self, learner: Learner, epochs: int, known: Weights) -> None:
        stale = 0
        for _ in range(epochs):
            stale = 0 if self._epoch(learner, known) else stale + 1
            if self._progress.decision is not Decision.CONTINUE:
                break
            if self._stopping is not None and stale >= self._stopping.patience:
                break

    def _epoch(self, learner: Learner, known: Weights) -> bool:
        """Train for an epoch and report it; whether it was the best so far."""
        progress, started = self._progress, time.perf_counter()
        number = len(progress.epochs) + 1
        found = learner.learn(self._draws.epoch(number), self._labels)
        seconds = time.perf_counter() - started
        progress.seconds.append(seconds)
        progress.epochs.append({"epoch": number, **found.metrics})
        is_best = self._keep(number, found, learner, known)
        progress.decision = self._report(number, found.metrics, seconds)
        return is_best

    def _keep(self, number: int, found: Learned, learner: Learner, known: Weights) -> bool:
        progress = self._progress
        value, loss = found.metrics[progress.objective.metric], found.metrics["loss"]
        if not (math.isfinite(loss) and math.isfinite(value)):
            raise NonFiniteLossError(
                f"the loss is {loss} in epoch {number}",
                hint="lower the upper end of the learning rates in the sweep's space",
            )
        if not progress.improves(value):
            return False
        progress.best_epoch, progress.best_value = number, value
        progress.best_weights = {**known, **learner.weights()}
        progress.best_answers = found.probabilities
        return True
