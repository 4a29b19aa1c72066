"""What a phase of a trial trains: one epoch at a time, whatever it is trained with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np

from tlsearch.training.draws import Draw
from tlsearch.training.judging import accuracy, cross_entropy
from tlsearch.training.weights import Weights

State = dict[str, np.ndarray]
"""By its name, each array that a learner's next epoch depends on."""


class StateMismatchError(ValueError):
    """A state is not one of this learner's."""


@dataclass(frozen=True)
class Learned:
    """An epoch's losses and accuracies, and the probabilities float32 [n, outputs] that it leaves
    for the validation split."""

    metrics: dict[str, float]
    probabilities: np.ndarray


class Learner(ABC):
    """Trains part of a network on the train split and answers for the validation split."""

    @final
    def learn(self, draw: Draw, labels: np.ndarray) -> Learned:
        """Train for one epoch.

        Args:
            labels: int64 [n] of the validation split.
        """
        loss, share = self.train(draw)
        probabilities = self.answer()
        metrics = {
            "loss": loss,
            "accuracy": share,
            "val_loss": cross_entropy(probabilities, labels),
            "val_accuracy": accuracy(probabilities, labels),
        }
        return Learned(metrics, probabilities)

    @final
    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from what `state` gave, in this process or in another one.

        Raises:
            StateMismatchError: it was taken of another kind of learner or network; nothing is
                changed.
        """
        for name, array in self.state().items():
            if name not in state or state[name].shape != array.shape:
                raise StateMismatchError(f"{name} is missing or of another shape")
        self.put(state)

    @abstractmethod
    def train(self, draw: Draw) -> tuple[float, float]:
        """Show every photo once: the mean loss and accuracy while it learned."""

    @abstractmethod
    def answer(self) -> np.ndarray:
        """Probabilities float32 [n, outputs] for the validation split."""

    @abstractmethod
    def weights(self) -> Weights:
        """A copy of what it has learned so far."""

    @abstractmethod
    def state(self) -> State:
        """A copy of everything that the next epoch depends on: what learns, the optimizer's
        moments and its count of steps, random generators."""

    @abstractmethod
    def put(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over a state that fits."""
