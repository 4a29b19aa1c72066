"""How long the model takes for a batch, by its size, measured on the machine that serves.

On a CPU a batch of one is often the fastest a photo, on a GPU a large one is; hence no guess.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

NEAR_BEST = 0.97
_HOPELESS = 0.8
_ROUNDS = 9
_SECONDS = 1.0

Run = Callable[[int], Any]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BatchCurve:
    """Seconds that one run takes.

    Attributes:
        seconds: size of the batch to the least that one of its runs took, since whatever else the
            machine does only adds to it.
    """

    seconds: Mapping[int, float]

    def rate(self, size: int) -> float:
        """Photos a second, of one caller."""
        return size / self.seconds[size]

    def best(self) -> int:
        """The smallest size whose throughput is within 3 % of the best."""
        enough = NEAR_BEST * max(map(self.rate, self.seconds))
        return min(size for size in self.seconds if self.rate(size) >= enough)


def measure_curve(run: Run, largest: int = 32, seconds: float = _SECONDS) -> BatchCurve:
    """Time `run(size)` for 1, 2, 4, ... photos up to `largest`.

    The sizes take turns, so that a busy moment of the machine hurts them all. Sizes above two that
    are clearly slower a photo than a smaller one are not tried, nor any above one that fails: a
    device may have memory for small batches only.

    Args:
        run: computes a batch of that size.
        seconds: about as long the measurement may take; each size is timed once all the same,
            until that time is over.
    """
    end = time.perf_counter() + seconds
    times = _first_round(run, largest, end)
    for _ in range(_ROUNDS):
        for size, found in times.items():
            found.append(_time(run, size))
        if time.perf_counter() > end:
            break
    return BatchCurve({size: min(found) for size, found in times.items()})


def _first_round(run: Run, largest: int, end: float) -> dict[int, list[float]]:
    """Each size once, and once before that, uncounted: the first run allocates."""
    times: dict[int, list[float]] = {}
    size, worse, best = 1, 0, 0.0
    while size <= largest and worse < 2 and (not times or time.perf_counter() < end):
        try:
            run(size)
            times[size] = [_time(run, size)]
        except Exception as error:  # onnxruntime's errors have no common class
            if not times:
                raise
            log.warning("a run has less than %d photos here, for that fails: %s", size, error)
            break
        rate = size / times[size][0]
        worse = worse + 1 if rate < _HOPELESS * best else 0
        best = max(best, rate)
        size *= 2
    return times


def _time(run: Run, size: int) -> float:
    start = time.perf_counter()
    run(size)
    return time.perf_counter() - start
