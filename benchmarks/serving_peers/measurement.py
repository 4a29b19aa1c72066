"""One server under load on so many connections, and the medians of several rounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Measurement:
    """What one round showed of one server.

    Attributes:
        p50, p99: seconds from a request to its answer.
        cpu_seconds: of all its processes, for 1,000 images.
        rss, pss: bytes of all its processes after the load; pss divides what they share.
        errors: requests without an answer of status 200.
        limit: images per second of the bare loop, just before.
    """

    side: str
    round: int
    connections: int
    images_per_second: float
    p50: float
    p99: float
    cpu_seconds: float
    errors: int
    limit: float
    rss: int
    pss: int
    processes: int

    @property
    def of_limit(self) -> float:
        """Its speed against the bare loop's."""
        return self.images_per_second / self.limit

    @property
    def over_ideal(self) -> float:
        """p99 against that of a server of this speed that answers strictly in turn."""
        return self.p99 * self.images_per_second / self.connections


def of(measurements: Sequence[Measurement], side: str, connections: int) -> list[Measurement]:
    """The rounds of one side on so many connections, in their order."""
    chosen = (m for m in measurements if (m.side, m.connections) == (side, connections))
    return sorted(chosen, key=lambda one: one.round)


def middle(measurements: Sequence[Measurement], figure: Callable[[Measurement], float]) -> float:
    return median(figure(one) for one in measurements)


def ratio(one: Sequence[Measurement], other: Sequence[Measurement]) -> dict[str, float]:
    """How many times as fast `one` is: median, smallest and largest of the rounds' ratios."""
    speeds = {m.round: m.images_per_second for m in other}
    ratios = [m.images_per_second / speeds[m.round] for m in one if speeds.get(m.round)]
    return {"median": median(ratios), "smallest": min(ratios), "largest": max(ratios)}
