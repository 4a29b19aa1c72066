"""Training a head on stored pooled features, in NumPy, without building any network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

import numpy as np

from tlsearch.execution.pulse import beat
from tlsearch.training.descent import Optimizer
from tlsearch.training.draws import Draw
from tlsearch.training.head_model import HeadModel
from tlsearch.training.judging import accuracy, cross_entropy
from tlsearch.training.learner import Learner, State
from tlsearch.training.weights import Weights, flatten

Take = Callable[[np.ndarray, Draw], np.ndarray]
"""From places of photos in the split to their float32 inputs, as an epoch shows them."""
_HEAD, _OPTIMIZER = "head/", "optimizer/"


@dataclass(frozen=True, eq=False)
class Features:
    """What a head is trained on.

    take: pooled features float32 [n, c] of the train split; labels: int64 of its photos;
    validation: pooled features float32 [n, c] of the validation split.
    """

    take: Take
    labels: np.ndarray
    validation: np.ndarray


@final
class HeadLearner(Learner):
    """A head under an optimizer."""

    def __init__(
        self, head: HeadModel, features: Features, optimizer: Optimizer, batch_size: int
    ) -> None:
        self._head = head
        self._features = features
        self._optimizer = optimizer
        self._batch_size = batch_size

    def train(self, draw: Draw) -> tuple[float, float]:
        shown, labels = [], []
        for positions in draw.batches(self._batch_size):
            inputs, truth = self._features.take(positions, draw), self._features.labels[positions]
            probabilities, gradients = self._head.gradients(inputs, truth, draw.random)
            self._optimizer.apply(self._head.arrays, gradients)
            beat()
            shown.append(probabilities)
            labels.append(truth)
        answers, truth = np.concatenate(shown), np.concatenate(labels)
        return cross_entropy(answers, truth), accuracy(answers, truth)

    def answer(self) -> np.ndarray:
        return self._head.predict(self._features.validation)

    def weights(self) -> Weights:
        return {name: [a.copy() for a in arrays] for name, arrays in self._head.weights.items()}

    def state(self) -> State:
        # What an epoch draws at random follows from its number.
        arrays = {_HEAD + name: array for name, array in flatten(self.weights()).items()}
        kept = {_OPTIMIZER + name: array for name, array in self._optimizer.state().items()}
        return {**arrays, **kept}

    def put(self, state: Mapping[str, np.ndarray]) -> None:
        for name, array in flatten(self._head.weights).items():
            array[...] = state[_HEAD + name]
        self._optimizer.restore(
            {
                name.removeprefix(_OPTIMIZER): array
                for name, array in state.items()
                if name.startswith(_OPTIMIZER)
            }
        )
