"""The head in NumPy: the layers of `head.apply_head` on pooled features, forwards and backwards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tlsearch.training.weights import Weights

HIDDEN, CLASSIFIER = "hidden", "classifier"
"""The names of the layers that learn, as in the network."""


@dataclass(frozen=True)
class HeadShape:
    """features -> [hidden units, ReLU] -> dropout -> outputs; one output is a sigmoid."""

    features: int
    hidden_units: int
    outputs: int

    def initial(self, random: np.random.Generator) -> Weights:
        """Kernels after Glorot & Bengio (2010), uniform, as Keras draws them; biases 0."""
        last = self.hidden_units or self.features
        sizes = {HIDDEN: (self.features, last)} if self.hidden_units else {}
        sizes |= {CLASSIFIER: (last, self.outputs)}
        return {
            name: [_glorot(random, *size), np.zeros(size[1], "float32")]
            for name, size in sizes.items()
        }


class HeadModel:
    """A head and its arrays, which training changes in place.

    Args:
        weights: float32 kernels and biases of `classifier` and, if there is one, `hidden`.
        dropout: the share of the last layer's inputs that a training step leaves out.
    """

    def __init__(self, weights: Weights, dropout: float) -> None:
        self.weights = weights
        self._dropout = dropout

    @property
    def arrays(self) -> list[np.ndarray]:
        return [array for name in self.weights for array in self.weights[name]]

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Probabilities float32 [n, outputs] of pooled features float32 [n, c]."""
        return _probabilities(self._logits(self._hide(features)))

    def gradients(
        self, features: np.ndarray, labels: np.ndarray, random: np.random.Generator
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """One training step's probabilities [n, outputs], and the mean loss' gradients, one for
        each of `arrays`."""
        hidden = self._hide(features)
        mask = self._mask(hidden.shape, random)
        kept = hidden if mask is None else hidden * mask
        probabilities = _probabilities(self._logits(kept))
        error = (probabilities - _targets(labels, probabilities.shape[1])) / len(labels)
        found = {CLASSIFIER: [kept.T @ error, error.sum(axis=0)]}
        if HIDDEN in self.weights:
            back = error @ self.weights[CLASSIFIER][0].T
            back = (back if mask is None else back * mask) * (hidden > 0)
            found[HIDDEN] = [features.T @ back, back.sum(axis=0)]
        return probabilities, [gradient for name in self.weights for gradient in found[name]]

    def _hide(self, features: np.ndarray) -> np.ndarray:
        if HIDDEN not in self.weights:
            return features
        kernel, bias = self.weights[HIDDEN]
        return np.maximum(features @ kernel + bias, 0)

    def _logits(self, inputs: np.ndarray) -> np.ndarray:
        kernel, bias = self.weights[CLASSIFIER]
        return inputs @ kernel + bias

    def _mask(self, shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray | None:
        """What is left of each number: 0, or more than 1, so that the mean stays."""
        if not self._dropout:
            return None
        # 16 bits a number are enough to draw, and take a fifth of a float's time.
        left = random.integers(2**16, size=shape, dtype=np.uint16) >= round(self._dropout * 2**16)
        return left * np.float32(1 / (1 - self._dropout))


def _glorot(random: np.random.Generator, inputs: int, outputs: int) -> np.ndarray:
    limit = (6 / (inputs + outputs)) ** 0.5
    return random.uniform(-limit, limit, (inputs, outputs)).astype("float32")


def _probabilities(logits: np.ndarray) -> np.ndarray:
    if logits.shape[1] == 1:
        return 1 / (1 + np.exp(-np.clip(logits, -80, 80)))
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _targets(labels: np.ndarray, outputs: int) -> np.ndarray:
    if outputs == 1:
        return labels[:, None].astype("float32")
    return np.eye(outputs, dtype="float32")[labels]
