"""Training with Keras: the layers above a cut on stored activations, or a network on photos.

Frozen layers that are part of the model are run in every step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

import keras
import numpy as np

from tlsearch.execution.pulse import beat
from tlsearch.training.draws import Draw
from tlsearch.training.learner import Learner, State
from tlsearch.training.parts import FETCHING, Parts
from tlsearch.training.weights import Weights, flatten, learned, restore, unflatten

Show = Callable[[np.ndarray, Draw], tuple[np.ndarray, np.ndarray]]
"""From places of photos in the train split to a batch: inputs and targets, as an epoch has them."""
_MODEL, _OPTIMIZER, _RANDOM = "model/", "optimizer/", "random/"
_STEPS = f"{_OPTIMIZER}iteration."
_SEED = "seed_generator_state"
"""Keras' name for the state of a layer's random generator."""


@dataclass(frozen=True, eq=False)
class Examples:
    """What a model is trained on and judged by.

    show: batches of the train split; look: inputs of the validation split at places int64 [batch],
    of `judged` photos.
    """

    show: Show
    look: Callable[[np.ndarray], np.ndarray]
    judged: int


class Batches(keras.utils.PyDataset):
    """So many batches, each made when it is asked for, some ahead of their time."""

    def __init__(self, parts: list[np.ndarray], make: Callable[[np.ndarray], object]) -> None:
        super().__init__(workers=FETCHING)
        self._parts = parts
        self._make = make

    @property
    def num_batches(self) -> int:
        return len(self._parts)

    def __getitem__(self, index: int) -> object:
        beat()
        return self._make(self._parts[index])


@final
class KerasLearner(Learner):
    """A compiled model of which some layers are trainable."""

    def __init__(self, model: keras.Model, examples: Examples, batch_size: int) -> None:
        self._model = model
        self._examples = examples
        self._batch_size = batch_size

    def train(self, draw: Draw) -> tuple[float, float]:
        batches = draw.batches(self._batch_size)

        def show(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return self._examples.show(places, draw)

        whole = self._parts == 1
        shown = Batches(batches, show) if whole else Parts(batches, show, self._parts)
        logs = self._model.fit(shown, epochs=1, verbose=0, shuffle=False).history
        return float(logs["loss"][0]), float(logs["accuracy"][0])

    def answer(self) -> np.ndarray:
        places = np.arange(self._examples.judged)
        size = -(-self._batch_size // self._parts)
        parts = np.array_split(places, range(size, len(places), size))
        asked = Batches(parts, lambda part: (self._examples.look(part),))
        return np.asarray(self._model.predict(asked, verbose=0), "float32")

    def weights(self) -> Weights:
        return learned(self._model)

    def state(self) -> State:
        arrays = {_MODEL + name: array for name, array in flatten(self.weights()).items()}
        for name, variable in self._kept():
            array = np.array(variable.numpy())
            arrays[name] = array // self._parts if name.startswith(_STEPS) else array
        return arrays

    def put(self, state: Mapping[str, np.ndarray]) -> None:
        names = flatten(self.weights())
        restore(self._model, unflatten({name: state[_MODEL + name] for name in names}))
        for name, variable in self._kept():
            array = state[name]
            variable.assign(array * self._parts if name.startswith(_STEPS) else array)

    @property
    def _parts(self) -> int:
        """In how many parts a step is computed: Keras counts each, a state counts steps, so that
        it fits whatever their number."""
        optimizer = self._model.optimizer
        if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            optimizer = optimizer.inner_optimizer
        return optimizer.gradient_accumulation_steps or 1

    def _kept(self) -> Iterator[tuple[str, keras.Variable]]:
        """What is kept from step to step beside the layers' arrays."""
        optimizer = self._model.optimizer
        if not optimizer.built:
            optimizer.build(self._model.trainable_variables)
        # Between two steps nothing is accumulated.
        lasting = [v for v in optimizer.variables if not v.name.endswith("_accumulator")]
        yield from _number(_OPTIMIZER, lasting)
        yield from _number(_RANDOM, [v for v in self._model.variables if v.name == _SEED])


def _number(prefix: str, variables: Iterable[keras.Variable]) -> Iterator[tuple[str, Any]]:
    """Each under its name; several of one name are counted."""
    seen: Counter[str] = Counter()
    for variable in variables:
        yield f"{prefix}{variable.name}.{seen[variable.name]}", variable
        seen[variable.name] += 1
