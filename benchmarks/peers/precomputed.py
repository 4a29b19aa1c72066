"""The stronger script for frozen backbones: in each trial features are computed once, and a head
is trained on them. It works for feature extraction without augmentation only.

    python -m peers.precomputed TASK.json
"""

from __future__ import annotations

import sys

import keras
import numpy as np
import tensorflow as tf

from peers.networks import Photos, backbone, compile_, head
from peers.plain import sweep
from peers.task import Task
from peers.trials import Trial


def feature_network(trial: Trial, size: int) -> keras.Model:
    """Photos to pooled features."""
    images = keras.Input((size, size, 3))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(images)
    x = backbone(trial, size)(x, training=False)
    return keras.Model(images, keras.layers.GlobalAveragePooling2D()(x))


def features(network: keras.Model, photos: tf.data.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Features [n, channels] and labels [n] of a split, in whatever order it comes."""
    pairs = [(network.predict_on_batch(batch), labels) for batch, labels in photos]
    return np.concatenate([x for x, _ in pairs]), np.concatenate([y for _, y in pairs])


def run_trial(trial: Trial, task: Task, photos: Photos) -> float:
    """Train one head; its best validation accuracy."""
    setting = task.setting
    keras.backend.clear_session()
    keras.utils.set_random_seed(setting.seed)
    network = feature_network(trial, setting.image_size)
    x, y = features(network, photos.train)
    inputs = keras.Input(network.output.shape[1:])
    model = keras.Model(inputs, head(inputs, trial, photos.classes))
    compile_(model, trial.head_learning_rate, setting.epochs * len(photos.train))
    history = model.fit(
        x,
        y,
        validation_data=features(network, photos.validation),
        batch_size=setting.batch_size,
        epochs=setting.epochs,
        verbose=0,
    )
    return max(history.history["val_accuracy"])


if __name__ == "__main__":
    sweep(sys.argv[1], run_trial)
