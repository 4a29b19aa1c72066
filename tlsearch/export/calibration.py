"""Temperature scaling: probabilities that mean what they say.

The logits are divided by one number that is fitted on the validation split, which changes no
answer (Guo et al., On Calibration of Modern Neural Networks, ICML 2017).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tlsearch.report.evaluation import Evaluation

LOWEST, HIGHEST = 0.25, 8.0
"""A split without a mistake would send the temperature to 0, one of mere noise to infinity."""
BINS = 15
_NEAR = 1e-3


@dataclass(frozen=True)
class Temperature:
    """What the logits are divided by; `at_bound` where the best one lies beyond the bounds."""

    value: float
    at_bound: bool = False


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> Temperature:
    """The temperature with the least log loss, which is convex in its inverse.

    Args:
        logits: [n, classes], or [n, 1] before a sigmoid; labels: int [n].
    """
    from scipy.optimize import minimize_scalar

    wide = logits.astype(np.float64)
    if wide.shape[1] == 1:
        wide = np.concatenate([np.zeros_like(wide), wide], axis=1)
    found = minimize_scalar(
        lambda inverse: _log_loss(wide * inverse, labels),
        bounds=(1 / HIGHEST, 1 / LOWEST),
        method="bounded",
        options={"xatol": 1e-6},
    )
    value = 1 / float(found.x)
    for bound in (LOWEST, HIGHEST):
        if abs(value / bound - 1) < _NEAR:
            return Temperature(bound, at_bound=True)
    return Temperature(value)


def cool(evaluation: Evaluation, temperature: float) -> Evaluation:
    """What was answered before the logits were divided by the temperature.

    A softmax of logits z / T, raised to the power of T and normalised, is the softmax of z.
    """
    smallest = np.finfo(np.float32).tiny
    logs = np.log(np.maximum(evaluation.probabilities.astype(np.float64), smallest))
    before = np.exp(_log_softmax(logs * temperature)).astype(np.float32)
    return Evaluation(before, evaluation.labels, evaluation.classes)


def calibration_error(evaluation: Evaluation) -> float:
    """The expected calibration error over 15 bins of equal width.

    The mean gap between how sure the answers of a bin are and how many of them are right, each bin
    weighing as many as its photos (Naeini et al., AAAI 2015, as Guo et al. use it).
    """
    sure = evaluation.probabilities.max(axis=1).astype(np.float64)
    right = evaluation.predicted == evaluation.labels
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, weights=right - sure, minlength=BINS)
    return float(np.abs(gaps).sum() / evaluation.photos)


def _log_loss(logits: np.ndarray, labels: np.ndarray) -> float:
    return -float(_log_softmax(logits)[np.arange(len(labels)), labels].mean())


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
