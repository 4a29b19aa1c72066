"""What one version of a model has seen and said.

Recording costs the event loop little: runs are only collected, and counted some hundred at a time
or when somebody asks. Leaves out how Prometheus reads it: `metrics.py`.
"""

from __future__ import annotations

import math
import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from serving.histogram import Histogram
from serving.session import Images, Probabilities

STAGE_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
SHARES = tuple(tenth / 10 for tenth in range(1, 11))
OUTCOMES = ("ok", "invalid", "too_large", "overloaded", "unavailable", "expired", "failed", "other")
_TOGETHER = 512
_SAMPLED = 64


class Run(NamedTuple):
    """One call of the model.

    Attributes:
        sample: `sample_values` of its photos.
        probabilities: float32 `[n, classes]`.
        waited: seconds in the queue of each of its pieces.
        seconds: that the call took.
        reading: seconds before the call in which its photos were read.
    """

    sample: bytes
    probabilities: Probabilities
    waited: list[float]
    seconds: float
    reading: float = 0.0


@dataclass(eq=False)
class Counts:
    """What was counted.

    Attributes:
        requests: by their outcome.
        queue: seconds that the pieces of requests waited.
        decode: seconds that it took to decode a photo.
        run: seconds that the calls of the model took.
        batch: photos of a call.
        predictions: photos by the class that was most probable, `[classes]`.
        confidence: the probability of that class.
        brightness: mean value of a photo, 0 is black and 1 is white.
    """

    predictions: npt.NDArray[np.int64]
    requests: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(OUTCOMES, 0)))
    queue: Histogram = field(default_factory=lambda: Histogram(STAGE_SECONDS))
    decode: Histogram = field(default_factory=lambda: Histogram(STAGE_SECONDS))
    run: Histogram = field(default_factory=lambda: Histogram(STAGE_SECONDS))
    batch: Histogram = field(default_factory=lambda: Histogram(BATCH_SIZES))
    confidence: Histogram = field(default_factory=lambda: Histogram(SHARES))
    brightness: Histogram = field(default_factory=lambda: Histogram(SHARES))


class Observations:
    """Counts of one version of a model. Any thread may record and read."""

    def __init__(self, model: str, version: str, labels: Sequence[str]) -> None:
        """Nothing is counted yet.

        Args:
            labels: the class of each column of the probabilities.
        """
        self.model = model
        self.version = version
        self.labels = list(labels)
        self._counts = Counts(np.zeros(len(self.labels), np.int64))
        self._runs: deque[Run] = deque()
        self._decodes: deque[float] = deque()
        self._counting = threading.Lock()

    def count(self, outcome: str) -> None:
        """Count an answered request.

        Args:
            outcome: one of `OUTCOMES`; anything else counts as `other`.
        """
        requests = self._counts.requests
        requests[outcome if outcome in requests else "other"] += 1

    def decoded(self, seconds: float) -> None:
        """Record how long it took to decode a photo."""
        self._decodes.append(seconds)
        if len(self._decodes) >= _TOGETHER:
            self.counts()

    def record(self, runs: list[Run]) -> None:
        """Record what a group of runs showed."""
        self._runs.extend(runs)
        if len(self._runs) >= _TOGETHER:
            self.counts()

    def counts(self) -> Counts:
        """Everything that was recorded until now."""
        with self._counting:
            runs = [self._runs.popleft() for _ in range(len(self._runs))]
            decodes = [self._decodes.popleft() for _ in range(len(self._decodes))]
            if runs:
                self._count(runs)
            if decodes:
                self._counts.decode.add(decodes)
            return self._counts

    def _count(self, runs: list[Run]) -> None:
        counts = self._counts
        samples, answers, waits, seconds, _ = zip(*runs, strict=True)
        probabilities = np.concatenate(answers)
        counts.queue.add(list(chain.from_iterable(waits)))
        counts.run.add(seconds)
        counts.batch.add(list(map(len, answers)))
        counts.predictions += np.bincount(probabilities.argmax(1), minlength=len(self.labels))
        counts.confidence.add(probabilities.max(1))
        values = np.frombuffer(b"".join(samples), np.uint8).reshape(len(probabilities), -1)
        counts.brightness.add(values.mean(1) / 255)


def sample_values(images: Images) -> bytes:
    """Some values of each photo, from all over it and of all colours: equally many of each.

    To be called before a run: what it brings into the processor's cache, the run reads too.
    """
    flat = images.reshape(len(images), -1)
    return flat[:, :: _stride(images.shape[2], flat.shape[1])].tobytes()


@lru_cache(maxsize=64)
def _stride(width: int, values: int) -> int:
    """A step without a factor of the row's length, so that it wanders through the row."""
    step = max(1, values // _SAMPLED)
    while math.gcd(step, 3 * width) > 1:
        step += 1
    return step
