"""Writes sweeps/small_cnn.keras: the plain network that the quick start trains from scratch.

    python scripts/make_small_cnn.py

Four blocks of convolution, batch normalisation and pooling, made for photos of any size: it
compiles in seconds and learns from a few hundred photos, where the networks of the table want
more of both. The file holds its graph; its weights are random and are drawn anew in every trial.
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras
from keras import layers

WIDTHS = (16, 32, 64, 128)


def build() -> keras.Model:
    """The network, from photos float32 RGB 0..255 to its feature map."""
    photos = keras.Input((None, None, 3), name="photos")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescaling")(photos)
    for number, width in enumerate(WIDTHS, start=1):
        # The first convolution halves the photo by itself: pooling that much costs more than it.
        strides = 2 if number == 1 else 1
        name = f"block{number}_conv"
        x = layers.Conv2D(width, 3, strides, padding="same", use_bias=False, name=name)(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"block{number}_bn")(x)
        x = layers.ReLU(name=f"block{number}_relu")(x)
        if number > 1:
            x = layers.MaxPooling2D(name=f"block{number}_pool")(x)
    return keras.Model(photos, x, name="small_cnn")


if __name__ == "__main__":
    beside = Path(__file__).parents[1] / "sweeps" / "small_cnn.keras"
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else beside
    keras.utils.set_random_seed(0)
    build().save(target)
    print(target)
