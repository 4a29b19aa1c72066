"""A histogram that many values enter at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from prometheus_client.utils import floatToGoString


class Histogram:
    """Counts of values by bucket, as Prometheus has them: a bucket holds what is at most its edge.

    prometheus-client's own takes a microsecond and a lock for each value; this one a few for an
    array of them.
    """

    def __init__(self, edges: Sequence[float]) -> None:
        """Nothing is counted yet.

        Args:
            edges: rising upper bounds; a last bucket takes what is above them.
        """
        self._edges = np.asarray(edges, np.float64)
        self._counts = np.zeros(len(edges) + 1, np.int64)
        self.total = 0.0

    def add(self, values: npt.ArrayLike) -> None:
        """Count values."""
        values = np.asarray(values, np.float64)
        places = np.searchsorted(self._edges, values)
        self._counts += np.bincount(places, minlength=len(self._counts))
        self.total += float(values.sum())

    def buckets(self) -> list[tuple[str, float]]:
        """Each upper bound with how many values are at most that; the last is `+Inf`."""
        names = [floatToGoString(edge) for edge in (*self._edges, np.inf)]
        return list(zip(names, np.cumsum(self._counts).tolist(), strict=True))
