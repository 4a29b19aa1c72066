"""Which photos become golden samples, and how far their answers may be off elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tlsearch.export.runtime import ask, open_session

SAMPLES = 8
CLEAR = 0.4
"""How far the first class lies before the second where another machine may not change it."""
FLOORS = {"fp32": 1e-3, "fp16": 1e-2, "int8": 5e-2}
"""The least tolerance of each precision: about what rounding does in a network's last layers."""
HIGHEST = 0.5
_SAFETY = 4.0


def choose_samples(answers: Sequence[np.ndarray]) -> np.ndarray:
    """The photos of a split whose answers tell most: clear to every model, and not certain.

    Where all is certain, a model that computes wrongly may still answer rightly.

    Args:
        answers: of each model, float32 [n, classes]; the first one's classes are what counts.

    Returns:
        Their places in the split, at most `SAMPLES`.
    """
    margin = np.min([_margin(one, answers[0].argmax(axis=1)) for one in answers], axis=0)
    order = np.argsort(np.where(margin >= CLEAR, margin, 2 - margin), kind="stable")
    return np.sort(order[:SAMPLES])


def tolerance_of(precision: str, model: bytes, images: np.ndarray) -> float:
    """How far the model's answers for these photos may be off on another machine.

    onnxruntime computes a model as it is written in floating point, or by fused and integer
    kernels. Both are right, and differ as much as machines do: in int8 one activation that is
    rounded the other way moves thousands behind it.
    """
    floor = FLOORS[precision]
    if precision == "fp32":
        return floor
    fused, written = (
        ask(open_session(model, as_written=as_written), images) for as_written in (False, True)
    )
    return float(np.clip(_SAFETY * np.abs(fused - written).max(), floor, HIGHEST))


def _margin(answers: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """How far the probability of each photo's class is above that of any other, float [n]."""
    rows = np.arange(len(answers))
    own = answers[rows, classes]
    others = answers.copy()
    others[rows, classes] = -1
    return own - others.max(axis=1)
