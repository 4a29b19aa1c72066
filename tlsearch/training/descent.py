"""Gradient descent in NumPy: the optimizers and the schedule that Keras has under these names.

For heads, whose steps take less time than dispatching one costs. The formulas and constants are
those of keras.optimizers (Adam: Kingma & Ba 2015; AdamW: Loshchilov & Hutter 2019), so that a head
learns here what it would learn there.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import final

import numpy as np

Rate = Callable[[int], float]
"""The learning rate of a step, counted from 0."""


def cosine(rate: float, steps: int) -> Rate:
    """From `rate` to 0 along a cosine over so many steps (Loshchilov & Hutter 2017)."""
    return lambda step: rate * (1 + math.cos(math.pi * min(step / steps, 1))) / 2


def constant(rate: float) -> Rate:
    """The same rate in every step."""
    return lambda step: rate


class Optimizer(ABC):
    """Changes arrays in place, against their gradients."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._step = 0
        self._kept: dict[str, np.ndarray] = {}

    @final
    def state(self) -> dict[str, np.ndarray]:
        """A copy of what it keeps from step to step."""
        kept = {name: array.copy() for name, array in self._kept.items()}
        return {"step": np.array(self._step), **kept}

    @final
    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from what `state` gave."""
        self._step = int(state["step"])
        self._kept = {name: array.copy() for name, array in state.items() if name != "step"}

    @final
    def apply(self, arrays: Sequence[np.ndarray], gradients: Sequence[np.ndarray]) -> None:
        """Make one step.

        Args:
            arrays: float32, the same ones in every step; gradients: of the same shapes.
        """
        rate = self._rate(self._step)
        self._step += 1
        for number, (array, gradient) in enumerate(zip(arrays, gradients, strict=True)):
            self._update(number, array, gradient, rate)

    @final
    def _keep(self, what: str, number: int, array: np.ndarray) -> np.ndarray:
        """What is kept for the array of this number, in its shape; zeros at first."""
        name = f"{what}.{number}"
        if name not in self._kept:
            self._kept[name] = np.zeros_like(array)
        return self._kept[name]

    @abstractmethod
    def _update(self, number: int, array: np.ndarray, gradient: np.ndarray, rate: float) -> None:
        """Change the array of this number; `_step` has been counted already."""


@final
class Adam(Optimizer):
    """Adam, and AdamW where `weight_decay` is not 0."""

    FIRST, SECOND, EPSILON = 0.9, 0.999, 1e-7

    def __init__(self, rate: Rate, weight_decay: float = 0.0) -> None:
        super().__init__(rate)
        self._weight_decay = weight_decay

    def _update(self, number: int, array: np.ndarray, gradient: np.ndarray, rate: float) -> None:
        mean = self._keep("mean", number, array)
        square = self._keep("square", number, array)
        if self._weight_decay:
            array *= 1 - rate * self._weight_decay
        mean += (gradient - mean) * (1 - self.FIRST)
        square += (gradient * gradient - square) * (1 - self.SECOND)
        step = rate * math.sqrt(1 - self.SECOND**self._step) / (1 - self.FIRST**self._step)
        array -= step * mean / (np.sqrt(square) + self.EPSILON)


@final
class Momentum(Optimizer):
    """Stochastic gradient descent with Nesterov's momentum of 0.9."""

    MOMENTUM = 0.9

    def _update(self, number: int, array: np.ndarray, gradient: np.ndarray, rate: float) -> None:
        velocity = self._keep("velocity", number, array)
        velocity *= self.MOMENTUM
        velocity -= rate * gradient
        array += self.MOMENTUM * velocity - rate * gradient
