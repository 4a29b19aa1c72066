"""The head alone, on stored pooled features: in NumPy, and no network is built."""

from __future__ import annotations

from typing import final

import numpy as np

from tlsearch.training.activations import Activations
from tlsearch.training.descent import Adam, Momentum, Optimizer, constant, cosine
from tlsearch.training.head import POOLED
from tlsearch.training.head_learner import Features, HeadLearner
from tlsearch.training.head_model import HeadModel, HeadShape
from tlsearch.training.learner import Learner
from tlsearch.training.lesson import Counts, Lesson
from tlsearch.training.phases import Phase
from tlsearch.training.task import Task
from tlsearch.training.views import View
from tlsearch.training.weights import Weights, count

ADAMW_DECAY = 0.004
"""As in keras.optimizers.AdamW."""


@final
class HeadLesson(Lesson):
    """A phase that cuts at the pooled features."""

    def __init__(self, task: Task, phase: Phase, activations: Activations) -> None:
        self._task = task
        self._phase = phase
        self._activations = activations

    def counts(self) -> Counts:
        head = count(self._initial(self._activations.width()))
        return Counts(self._activations.parameters() + head, head)

    def learner(self, known: Weights) -> Learner:
        task, stored = self._task, self._activations
        shown = stored.mixture("train", POOLED, task.shown)
        judged = stored.mixture("validation", POOLED, [View()])
        labels = task.labels
        validation = judged.look(np.arange(len(labels["validation"])))
        features = Features(shown.take, labels["train"], validation)
        # Training changes the arrays in place, and what is known belongs to others too.
        start = {name: [array.copy() for array in arrays] for name, arrays in known.items()}
        head = HeadModel(start or self._initial(validation.shape[1]), task.configuration.dropout)
        return HeadLearner(head, features, self._optimizer(), task.train.batch_size)

    def _initial(self, features: int) -> Weights:
        shape = HeadShape(features, self._task.configuration.hidden_units, self._task.outputs)
        return shape.initial(np.random.default_rng(self._task.seed))

    def _optimizer(self) -> Optimizer:
        train, phase = self._task.train, self._phase
        cosine_rate = cosine(phase.learning_rate, phase.epochs * self._task.steps)
        rate = cosine_rate if train.schedule == "cosine" else constant(phase.learning_rate)
        if train.optimizer == "sgd":
            return Momentum(rate)
        return Adam(rate, ADAMW_DECAY if train.optimizer == "adamw" else 0.0)
