"""The network of a trial as a Keras user writes it, and its one or two fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import tensorflow as tf
from keras import layers

from peers.task import Task
from peers.trials import Trial


@dataclass(frozen=True)
class Photos:
    """The batches of both splits: float or uint8 photos [batch, size, size, 3] and labels."""

    train: tf.data.Dataset
    validation: tf.data.Dataset
    classes: int


def backbone(trial: Trial, size: int) -> keras.Model:
    """The frozen pretrained network."""
    network = getattr(keras.applications, trial.backbone)
    base = network(include_top=False, weights="imagenet", input_shape=(size, size, 3))
    base.trainable = False
    return base


def augmentation() -> list[layers.Layer]:
    """About what tlsearch calls `light`.

    It is part of the network. As a map of the input pipeline it took as long on two cores.
    """
    return [
        layers.RandomFlip("horizontal"),
        layers.RandomRotation(15 / 360),
        layers.RandomZoom(0.1),
        layers.RandomTranslation(0.1, 0.1),
    ]


def classifier(base: keras.Model, trial: Trial, size: int, classes: int) -> keras.Model:
    """Photos to probabilities; batch norm of the base stays in inference mode."""
    images = keras.Input((size, size, 3))
    x = images
    if trial.augment != "none":
        for layer in augmentation():
            x = layer(x)
    x = layers.Rescaling(1 / 127.5, offset=-1)(x)
    x = base(x, training=False)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(images, head(x, trial, classes))


def head(features: keras.KerasTensor, trial: Trial, classes: int) -> keras.KerasTensor:
    x = layers.Dropout(trial.dropout)(features)
    return layers.Dense(classes, activation="softmax")(x)


def unfreeze(base: keras.Model, boundary: str) -> None:
    """Let the layers above the boundary learn, without batch norm."""
    base.trainable = True
    above = False
    for layer in base.layers:
        layer.trainable = above and not isinstance(layer, layers.BatchNormalization)
        above = above or layer.name == boundary


def compile_(model: keras.Model, rate: float, steps: int) -> None:
    """Adam along a cosine over so many steps, as tlsearch does by default."""
    model.compile(
        optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps)),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )


@dataclass(frozen=True)
class Phase:
    """Epochs `first` up to `last`, which does not count, at one rate's cosine."""

    rate: float
    first: int
    last: int
    boundary: str | None = None
    """The layer above which the base learns too."""


def phases(trial: Trial, task: Task) -> list[Phase]:
    """One phase for the head; `fine_tune` has another one for the blocks."""
    epochs, head_rate = task.setting.epochs, trial.head_learning_rate
    if trial.strategy == "feature_extraction":
        return [Phase(head_rate, 0, epochs)]
    middle = min(task.setting.head_epochs, epochs - 1)
    fine = Phase(trial.learning_rate or head_rate, middle, epochs, task.boundary(trial))
    return [Phase(head_rate, 0, middle), fine] if middle else [fine]


def train(
    model: keras.Model,
    base: keras.Model,
    plan: Sequence[Phase],
    photos: Photos,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> list[float]:
    """Go through the phases; the validation accuracy of each epoch."""
    reached: list[float] = []
    for phase in plan:
        if phase.boundary:
            unfreeze(base, phase.boundary)
        compile_(model, phase.rate, (phase.last - phase.first) * len(photos.train))
        history = model.fit(
            photos.train,
            validation_data=photos.validation,
            initial_epoch=phase.first,
            epochs=phase.last,
            callbacks=list(callbacks),
            verbose=0,
        )
        reached += history.history["val_accuracy"]
    return reached
