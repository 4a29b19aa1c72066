"""The new classifier on top of a backbone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlsearch.config.configuration import Configuration

if TYPE_CHECKING:
    import keras

POOLED = "pooled"
"""The name of the pooling layer: the boundary between a frozen backbone and its head."""


def apply_head(
    features: keras.KerasTensor, configuration: Configuration, outputs: int
) -> keras.KerasTensor:
    """Pooling, an optional hidden layer, dropout, and probabilities.

    Args:
        features: a feature map [batch, height, width, channels], or pooled [batch, channels].
        outputs: the number of classes; 1 for two classes with a sigmoid.

    Returns:
        float32 probabilities [batch, outputs].
    """
    from keras import layers

    x = pool(features, configuration.pooling)
    if configuration.hidden_units:
        x = layers.Dense(configuration.hidden_units, activation="relu", name="hidden")(x)
    if configuration.dropout:
        x = layers.Dropout(configuration.dropout, name="dropout")(x)
    activation = "sigmoid" if outputs == 1 else "softmax"
    return layers.Dense(outputs, activation=activation, dtype="float32", name="classifier")(x)


def pool(features: keras.KerasTensor, pooling: str) -> keras.KerasTensor:
    """Features [batch, channels] of a feature map, by `avg` or `max`; pooled ones as they are."""
    from keras import layers

    if len(features.shape) == 2:
        return layers.Identity(name=POOLED)(features)
    kinds = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D}
    return kinds[pooling](name=POOLED)(features)
