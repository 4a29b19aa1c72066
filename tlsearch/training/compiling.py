"""Loss, optimizer and schedule of the sweep, as Keras has them."""

from __future__ import annotations

from functools import partial
from typing import TypeAlias, final

import keras

from tlsearch.config.schema import Train
from tlsearch.training.phases import Phase

Rate: TypeAlias = float | keras.optimizers.schedules.LearningRateSchedule


@final
class OfWholeSteps(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule where Keras counts each part of a step: the rate changes with the step alone."""

    def __init__(self, schedule: keras.optimizers.schedules.LearningRateSchedule, parts: int):
        self._schedule = schedule
        self._parts = parts

    def __call__(self, step: keras.KerasTensor) -> keras.KerasTensor:
        return self._schedule(keras.ops.floor_divide(step, self._parts))

    def get_config(self) -> dict[str, object]:
        return {"schedule": self._schedule, "parts": self._parts}


def learning_rate(phase: Phase, train: Train, steps: int, parts: int = 1) -> Rate:
    """The phase's learning rate, for epochs of so many steps: as it is, or along a cosine to 0.

    Args:
        parts: in how many each step is computed.
    """
    if train.schedule == "constant":
        return phase.learning_rate
    cosine = keras.optimizers.schedules.CosineDecay(phase.learning_rate, phase.epochs * steps)
    return OfWholeSteps(cosine, parts) if parts > 1 else cosine


def compile_(
    model: keras.Model, train: Train, rate: Rate, *, soft: bool = False, parts: int = 1
) -> None:
    """Make the model ready to be trained.

    Args:
        soft: targets are float32 [batch, outputs], as mixup makes them, and not class numbers.
        parts: in how many each step is computed; the weights change with the last one.
    """
    optimizers = {
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
        "sgd": partial(keras.optimizers.SGD, momentum=0.9, nesterov=True),
    }
    together = parts if parts > 1 else None
    optimizer = optimizers[train.optimizer](rate, gradient_accumulation_steps=together)
    # An optimizer that makes its variables in the first step has TensorFlow trace that step twice.
    optimizer.build(model.trainable_variables)
    several = "categorical_crossentropy" if soft else "sparse_categorical_crossentropy"
    one_output = model.output.shape[-1] == 1
    model.compile(
        optimizer=optimizer,
        loss="binary_crossentropy" if one_output else several,
        # Parts of a step come with the weights that their photos have in it.
        **{"weighted_metrics" if parts > 1 else "metrics": ["accuracy"]},
    )
