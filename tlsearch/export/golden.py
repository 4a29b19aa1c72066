"""`golden.npz`: photos of a bundle and the probabilities that its model gave for them.

Whoever serves the bundle computes them again on his own hardware and compares.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tlsearch.errors import BundleError
from tlsearch.export.checksums import EXPORT_AGAIN

GOLDEN_FILE = "golden.npz"


@dataclass(frozen=True, eq=False)
class Golden:
    """Golden samples.

    Attributes:
        images: uint8 RGB `[k, size, size, 3]`.
        probabilities: float32 `[k, classes]`, what the exported model has to give.
    """

    images: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        images, probabilities = self.images, self.probabilities
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != _square(images):
            raise _unfit("images", images, "uint8 [k, size, size, 3]")
        if probabilities.dtype != np.float32 or probabilities.ndim != 2:
            raise _unfit("probabilities", probabilities, "float32 [k, classes]")
        if len(images) == 0 or len(images) != len(probabilities):
            raise _unfit("probabilities", probabilities, f"a row for each of {len(images)} images")


def write_golden(folder: Path, golden: Golden) -> Path:
    """Write `golden.npz` into `folder` and return its path."""
    path = Path(folder) / GOLDEN_FILE
    np.savez_compressed(path, images=golden.images, probabilities=golden.probabilities)
    return path


def read_golden(folder: Path) -> Golden:
    """Read `golden.npz`.

    Raises:
        BundleError: it is not there, or holds something else.
    """
    path = Path(folder) / GOLDEN_FILE
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return Golden(arrays["images"], arrays["probabilities"])
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise BundleError(
            f"{path} cannot be read",
            received=str(error),
            expected="the arrays images and probabilities",
            hint=EXPORT_AGAIN,
        ) from error


def _square(images: npt.NDArray) -> tuple[int, int, int]:
    return (images.shape[1], images.shape[1], 3)


def _unfit(name: str, array: npt.NDArray, expected: str) -> BundleError:
    return BundleError(
        f"golden samples with unfit {name}",
        received=f"{array.dtype} {list(array.shape)}",
        expected=expected,
        hint=EXPORT_AGAIN,
    )
