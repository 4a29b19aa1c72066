"""The photos of a Keras user's script: decoded once into memory, shuffled, prefetched."""

from __future__ import annotations

from pathlib import Path

import keras
import tensorflow as tf

from peers.networks import Photos
from peers.task import Setting


def load(setting: Setting) -> Photos:
    """Both splits as cached pipelines, with every photo decoded.

    The cache holds uint8, a quarter of the memory that `image_dataset_from_directory` would take.
    """
    train, validation = _cached(setting, "train"), _cached(setting, "validation")
    shuffled = train.shuffle(len(train), seed=setting.seed).batch(setting.batch_size)
    return Photos(
        shuffled.prefetch(tf.data.AUTOTUNE),
        validation.batch(setting.batch_size).prefetch(tf.data.AUTOTUNE),
        classes=sum(path.is_dir() for path in Path(setting.photos, "train").iterdir()),
    )


def _cached(setting: Setting, split: str) -> tf.data.Dataset:
    photos = keras.utils.image_dataset_from_directory(
        Path(setting.photos, split),
        image_size=(setting.image_size, setting.image_size),
        batch_size=None,
        shuffle=False,
        verbose=False,
    )
    cached = photos.map(_as_bytes, num_parallel_calls=tf.data.AUTOTUNE).cache()
    for _ in cached.batch(256):
        pass
    return cached


def _as_bytes(photo: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return tf.cast(tf.round(photo), tf.uint8), label
