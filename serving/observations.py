"""What one version of a model has seen and said: for Prometheus, and for drift at a glance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Run(NamedTuple):
    """One call of the model.

    Attributes:
        queue_seconds: how long each piece of it had waited.
        run_seconds: what the call took.
        probabilities: float32 `[photos, classes]`.
        sample: uint8 `[photos, few]`, some of the photos' values.
    """

    queue_seconds: list[float]
    run_seconds: float
    probabilities: npt.NDArray[np.float32]
    sample: npt.NDArray[np.uint8]


class Observations:
    """Counts of one version of a model."""

    def __init__(self, model: str, version: str, labels: Sequence[str]) -> None:
        self.model = model
        self.version = version
        self.labels = list(labels)
        self.requests: Counter[str] = Counter()

    def count(self, outcome: str, requests: int = 1) -> None:
        """Count answered requests."""
        self.requests[outcome] += requests

    def record(self, runs: list[Run]) -> None:
        """Remember what a group of runs showed."""

    def decoded(self, seconds: float) -> None:
        """Remember how long it took to decode a photo."""
