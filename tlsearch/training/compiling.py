"""Loss, optimizer and schedule of the sweep, as Keras has them."""

from __future__ import annotations

import keras

from tlsearch.config.schema import Train
from tlsearch.training.phases import Phase


def learning_rate(
    phase: Phase, train: Train, steps: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """The phase's learning rate, for epochs of so many steps: as it is, or along a cosine to 0."""
    if train.schedule == "constant":
        return phase.learning_rate
    return keras.optimizers.schedules.CosineDecay(phase.learning_rate, phase.epochs * steps)


def compile_(
    model: keras.Model,
    train: Train,
    rate: float | keras.optimizers.schedules.LearningRateSchedule,
    *,
    soft: bool = False,
) -> None:
    """Make the model ready to be trained.

    Args:
        soft: targets are float32 [batch, outputs], as mixup makes them, and not class numbers.
    """
    optimizers = {
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
        "sgd": lambda rate: keras.optimizers.SGD(rate, momentum=0.9, nesterov=True),
    }
    optimizer = optimizers[train.optimizer](rate)
    # An optimizer that makes its variables in the first step has TensorFlow trace that step twice.
    optimizer.build(model.trainable_variables)
    several = "categorical_crossentropy" if soft else "sparse_categorical_crossentropy"
    one_output = model.output.shape[-1] == 1
    model.compile(
        optimizer=optimizer,
        loss="binary_crossentropy" if one_output else several,
        metrics=["accuracy"],
    )
