"""Loss and accuracy of probabilities, by the definitions of Keras' losses and metrics."""

from __future__ import annotations

import numpy as np

SMALLEST = 1e-7
"""No probability counts as less, so that no loss is infinite (`keras.backend.epsilon`)."""


def cross_entropy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The mean negative logarithm of what the true classes were given.

    Args:
        probabilities: float32 [n, classes], or [n, 1] that of class 1 of two; labels: int64 [n].
    """
    if probabilities.shape[1] == 1:
        given = np.where(labels == 1, probabilities[:, 0], 1 - probabilities[:, 0])
    else:
        given = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.clip(given, SMALLEST, 1 - SMALLEST)).mean())


def accuracy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The share of photos whose likeliest class is the true one; arguments as above."""
    if probabilities.shape[1] == 1:
        return float(((probabilities[:, 0] > 0.5) == labels).mean())
    return float((probabilities.argmax(axis=1) == labels).mean())
