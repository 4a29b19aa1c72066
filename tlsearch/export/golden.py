"""`golden.npz`: photos of a bundle and the probabilities that its model gave for them.

Whoever serves the bundle computes them again on his own hardware and compares.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tlsearch.errors import BundleError
from tlsearch.export.checksums import EXPORT_AGAIN

GOLDEN_FILE = "golden.npz"
_VARIANT = "probabilities_"


@dataclass(frozen=True, eq=False)
class Golden:
    """Golden samples.

    Attributes:
        images: uint8 RGB `[k, size, size, 3]`.
        probabilities: float32 `[k, classes]`, what the fp32 model has to give.
        variants: the same of the other models, by their precision.
    """

    images: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.float32]
    variants: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        images = self.images
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != _square(images):
            raise _unfit("images", images, "uint8 [k, size, size, 3]")
        for name, answers in _named(self).items():
            if answers.dtype != np.float32 or answers.ndim != 2:
                raise _unfit(name, answers, "float32 [k, classes]")
            if len(images) == 0 or len(images) != len(answers):
                raise _unfit(name, answers, f"a row for each of {len(images)} images")

    def expected(self, precision: str) -> npt.NDArray[np.float32]:
        """What the model of that precision has to give: float32 `[k, classes]`.

        Raises:
            BundleError: the samples were made without it.
        """
        answers = {"fp32": self.probabilities, **self.variants}
        if precision not in answers:
            raise BundleError(
                f"golden samples without answers of the {precision} model",
                received=", ".join(answers),
                expected=precision,
                hint=EXPORT_AGAIN,
            )
        return answers[precision]


def write_golden(folder: Path, golden: Golden) -> Path:
    """Write `golden.npz` into `folder` and return its path."""
    path = Path(folder) / GOLDEN_FILE
    arrays: dict[str, npt.NDArray] = {"images": golden.images, **_named(golden)}
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    return path


def read_golden(folder: Path) -> Golden:
    """Read `golden.npz`.

    Raises:
        BundleError: it is not there, or holds something else.
    """
    path = Path(folder) / GOLDEN_FILE
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        variants = {
            name.removeprefix(_VARIANT): array
            for name, array in arrays.items()
            if name.startswith(_VARIANT)
        }
        return Golden(arrays["images"], arrays["probabilities"], variants)
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise BundleError(
            f"{path} cannot be read",
            received=str(error),
            expected="the arrays images and probabilities",
            hint=EXPORT_AGAIN,
        ) from error


def _named(golden: Golden) -> dict[str, npt.NDArray[np.float32]]:
    """Each model's answers under the name they have in the file."""
    others = {f"{_VARIANT}{name}": answers for name, answers in golden.variants.items()}
    return {"probabilities": golden.probabilities, **others}


def _square(images: npt.NDArray) -> tuple[int, int, int]:
    return (images.shape[1], images.shape[1], 3)


def _unfit(name: str, array: npt.NDArray, expected: str) -> BundleError:
    return BundleError(
        f"golden samples with unfit {name}",
        received=f"{array.dtype} {list(array.shape)}",
        expected=expected,
        hint=EXPORT_AGAIN,
    )
