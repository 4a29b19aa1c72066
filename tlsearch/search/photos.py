"""A sweep's photos, as its search and its plan read them."""

from __future__ import annotations

from tlsearch.config.schema import Sweep
from tlsearch.data.dataset import Dataset, prepare
from tlsearch.paths import Paths
from tlsearch.training.forecast import sizes


def prepare_photos(sweep: Sweep, paths: Paths) -> Dataset:
    """Read them, and decode them at the first image size of the space.

    Raises:
        DataError: they cannot be used.
    """
    first = sweep.space.backbone.choices[0]
    return prepare(sweep.data, paths, sizes(sweep, first)[0])
