"""How long the model takes for a batch, by its size, measured on the machine that serves.

On a CPU a batch of one is often the fastest a photo, on a GPU a large one is; hence no guess.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

NEAR_BEST = 0.97
_REPEATS, _FEW, _SECONDS = 7, 3, 0.2
_HOPELESS = 0.8


@dataclass(frozen=True)
class BatchCurve:
    """Seconds that one run takes.

    Attributes:
        seconds: size of the batch to the median of its runs.
    """

    seconds: Mapping[int, float]

    def rate(self, size: int) -> float:
        """Photos a second, of one caller."""
        return size / self.seconds[size]

    def best(self) -> int:
        """The smallest size whose throughput is within 3 % of the best."""
        enough = NEAR_BEST * max(map(self.rate, self.seconds))
        return min(size for size in self.seconds if self.rate(size) >= enough)


def measure_curve(run: Callable[[int], Any], largest: int = 32) -> BatchCurve:
    """Time `run(size)` for 1, 2, 4, ... photos up to `largest`.

    It stops early at a size that is clearly slower a photo than a smaller one.
    """
    seconds: dict[int, float] = {}
    size = 1
    while size <= largest:
        seconds[size] = _median(run, size)
        curve = BatchCurve(seconds)
        if curve.rate(size) < _HOPELESS * max(map(curve.rate, seconds)):
            break
        size *= 2
    return BatchCurve(seconds)


def _median(run: Callable[[int], Any], size: int) -> float:
    """The first run is not counted: it allocates."""
    run(size)
    times: list[float] = []
    while len(times) < _FEW or (len(times) < _REPEATS and sum(times) < _SECONDS):
        start = time.perf_counter()
        run(size)
        times.append(time.perf_counter() - start)
    return statistics.median(times)
