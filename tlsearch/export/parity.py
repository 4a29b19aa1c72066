"""Whether the ONNX model gives the answers that Keras gave."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from tlsearch.errors import NoResultError


@dataclass(frozen=True)
class Parity:
    """How far two sets of probabilities for the same photos lie apart.

    Attributes:
        max_difference: the largest absolute difference of a probability.
        top1_agreement: the share of photos with the same most probable class.
    """

    photos: int
    max_difference: float
    top1_agreement: float

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


def compare(expected: np.ndarray, received: np.ndarray) -> Parity:
    """Compare probabilities float32 [n, classes] photo by photo."""
    same = expected.argmax(axis=1) == received.argmax(axis=1)
    return Parity(
        photos=len(expected),
        max_difference=float(np.abs(expected - received).max()),
        top1_agreement=float(same.mean()),
    )


def hold(expected: np.ndarray, received: np.ndarray, tolerance: float) -> Parity:
    """Compare, and refuse what differs by more than the tolerance or in a clear top class.

    Where Keras itself has two classes within the tolerance, either may come first.

    Raises:
        NoResultError: the ONNX model must not be shipped.
    """
    parity = compare(expected, received)
    first, second = -np.partition(-expected, 1, axis=1)[:, :2].T
    clear = first - second > 2 * tolerance
    flipped = (expected.argmax(axis=1) != received.argmax(axis=1)) & clear
    if parity.max_difference > tolerance or flipped.any() or not np.isfinite(received).all():
        raise NoResultError(
            "the ONNX model does not answer as the Keras model does, so it is not exported",
            received=f"a difference of up to {parity.max_difference:.2g} over {len(expected)} "
            f"photos, {int(flipped.sum())} other answers",
            expected=f"at most {tolerance:g} (export.tolerance) and the same answers",
            hint="export another trial: tlsearch export SWEEP --trial N; and please report this",
        )
    return parity
