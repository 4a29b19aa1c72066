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
from tlsearch.training.learner import Learned, Learner, State, StateMismatchError
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
    float32 [n, outputs] for the validation split; phase: the one that is trained, from 0; first:
    the epochs before it; known: what was learned in them; stale: its epochs since a better
    objective; begun: on the clock of `time.perf_counter`, as if there had been one start only.
    """

    objective: Objective
    epochs: list[dict[str, float]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    best_epoch: int = 0
    best_value: float = math.nan
    best_weights: Weights = field(default_factory=dict)
    best_answers: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), "float32"))
    decision: Decision = Decision.CONTINUE
    phase: int = 0
    first: int = 0
    known: Weights = field(default_factory=dict)
    stale: int = 0
    begun: float = field(default_factory=time.perf_counter)

    @property
    def elapsed(self) -> float:
        """Seconds, those of earlier starts among them."""
        return time.perf_counter() - self.begun

    def enter_next(self, learned: Weights) -> None:
        """Begin with the next phase, on what was learned in this one."""
        self.known = {**self.known, **learned}
        self.phase, self.first, self.stale = self.phase + 1, len(self.epochs), 0

    def improves(self, value: float) -> bool:
        if math.isnan(self.best_value):
            return True
        sign = 1 if self.objective.direction == "maximize" else -1
        return sign * value > sign * self.best_value


@dataclass(frozen=True, eq=False)
class Saved:
    """A fit between two epochs: what it has reached, and the state of its learner."""

    progress: Progress
    state: State


Save = Callable[[Progress, Learner], None]
"""Given what a fit has reached and by which learner: before each epoch is reported, and once more
where the answer is to stop."""


def _save_nothing(progress: Progress, learner: Learner) -> None:
    """Nobody goes on with this fit."""


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
        save: Save = _save_nothing,
    ) -> None:
        self.progress = progress
        self._draws = draws
        self._labels = labels
        self._stopping = stopping
        self._report = report
        self._save = save
        self._learner: Learner | None = None

    def resume(self, saved: Saved, phases: list[Phase], make_learner: MakeLearner) -> bool:
        """Let `run` go on with what an earlier fit of the same trial has reached.

        Returns:
            Whether it can: False where the phase is taught in another way now, by the whole
            network for example because its activations are no longer stored.
        """
        progress = saved.progress
        learner = make_learner(phases[progress.phase], progress.known)
        try:
            learner.restore(saved.state)
        except StateMismatchError:
            return False
        self.progress, self._learner = progress, learner
        return True

    def run(self, phases: list[Phase], make_learner: MakeLearner, start: Weights) -> None:
        """Train through the phases that are left; `progress` has what came of it.

        Args:
            start: what the first phase starts from.

        Raises:
            NonFiniteLossError: the loss is not finite.
        """
        progress = self.progress
        if not progress.epochs:
            progress.known = start
        while progress.decision is Decision.CONTINUE and progress.phase < len(phases):
            phase = phases[progress.phase]
            learner = self._learner or make_learner(phase, progress.known)
            self._learner = None
            while progress.decision is Decision.CONTINUE and not self._is_over(phase):
                self._epoch(learner)
            if progress.decision is Decision.CONTINUE:
                progress.enter_next(learner.weights())

    def _is_over(self, phase: Phase) -> bool:
        progress = self.progress
        if len(progress.epochs) - progress.first >= phase.epochs:
            return True
        return self._stopping is not None and progress.stale >= self._stopping.patience

    def _epoch(self, learner: Learner) -> None:
        """Train for an epoch, keep what it reached and report it."""
        progress, started = self.progress, time.perf_counter()
        number = len(progress.epochs) + 1
        found = learner.learn(self._draws.epoch(number), self._labels)
        seconds = time.perf_counter() - started
        progress.seconds.append(seconds)
        progress.epochs.append({"epoch": number, **found.metrics})
        progress.stale = 0 if self._is_best(number, found, learner) else progress.stale + 1
        self._save(progress, learner)
        progress.decision = self._report(number, found.metrics, seconds)
        if progress.decision is Decision.STOP:
            self._save(progress, learner)

    def _is_best(self, number: int, found: Learned, learner: Learner) -> bool:
        """Whether an epoch was the best so far; if it was, keep what it has learned."""
        progress = self.progress
        value, loss = found.metrics[progress.objective.metric], found.metrics["loss"]
        if not (math.isfinite(loss) and math.isfinite(value)):
            raise NonFiniteLossError(
                f"the loss is {loss} in epoch {number}",
                hint="lower the upper end of the learning rates in the sweep's space",
            )
        if not progress.improves(value):
            return False
        progress.best_epoch, progress.best_value = number, value
        progress.best_weights = {**progress.known, **learner.weights()}
        progress.best_answers = found.probabilities
        return True
