"""What a trial has learned: the arrays of the layers that it trained, and of no others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

Weights = dict[str, list[np.ndarray]]
"""By the name of the layer, its arrays in the order of `keras.Layer.get_weights`."""


def learned(model: keras.Model) -> Weights:
    """A copy of what the model's trainable layers hold now, their moving statistics included."""
    return {layer.name: layer.get_weights() for layer in model.layers if layer.trainable_variables}


def restore(model: keras.Model, weights: Weights) -> None:
    """Give layers of the model the arrays that `learned` took of layers of the same names."""
    for name, arrays in weights.items():
        model.get_layer(name).set_weights(arrays)


def flatten(weights: Weights) -> dict[str, np.ndarray]:
    """The same arrays as LAYER/NUMBER, for a file of arrays."""
    return {
        f"{name}/{number}": array
        for name, arrays in weights.items()
        for number, array in enumerate(arrays)
    }


def unflatten(arrays: Mapping[str, np.ndarray]) -> Weights:
    """What `flatten` was given. The arrays of a layer have to come in their order."""
    weights: Weights = {}
    for name, array in arrays.items():
        weights.setdefault(name.rpartition("/")[0], []).append(array)
    return weights


def count(weights: Weights) -> int:
    """How many numbers they are."""
    return sum(array.size for arrays in weights.values() for array in arrays)
