"""A sweep's photos, as its search and its plan read them."""

from __future__ import annotations

from tlsearch.config.schema import Sweep
from tlsearch.data.dataset import Dataset, pixel_store, prepare
from tlsearch.errors import DataError
from tlsearch.paths import Paths
from tlsearch.training.forecast import sizes


def prepare_photos(sweep: Sweep, paths: Paths) -> Dataset:
    """Read them, and decode them at the first image size of the space.

    Raises:
        DataError: they cannot be used.
    """
    first = sweep.space.backbone.choices[0]
    return prepare(sweep.data, paths, sizes(sweep, first)[0])


def decode(dataset: Dataset, paths: Paths, image_size: int) -> None:
    """Have all photos decoded at a size.

    Raises:
        DataError: some could be read when the sweep began, and now they cannot.
    """
    failed = pixel_store(paths, image_size).add(dataset.files)
    if failed:
        digest, reason = next(iter(failed.items()))
        raise DataError(
            f"{len(failed)} of the photos can no longer be read",
            received=f"{dataset.files[digest]}: {reason}",
            expected="the photos as they were when the sweep began",
            hint="bring them back, then run the same command again",
        )
