"""The model of a bundle at work: from photos to probabilities.

Leaves out the network: no HTTP, no queue.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from serving.buckets import Buckets
from serving.bundle import Bundle
from serving.session import CPU, Images, Probabilities, check_signature, open_session
from tlsearch.data.photo import UnreadablePhoto, read_photo
from tlsearch.errors import BundleError, UsageError

_OUTPUTS = ["probabilities"]


@dataclass(frozen=True, eq=False)
class Prediction:
    """What the model says of one photo; if the photo cannot be read, only `error`.

    Attributes:
        source: the path, or `photo N` (from 0) for bytes.
        probabilities: float32 `[classes]`.
        error: why there is no prediction.
    """

    source: str
    label: str | None = None
    probability: float | None = None
    probabilities: Probabilities | None = None
    error: str | None = None


class Engine:
    """One model in onnxruntime. Several threads may call it at once."""

    def __init__(
        self,
        bundle: Bundle,
        providers: Sequence[str] | None = None,
        threads: int = 1,
        precision: str = "fp32",
        largest: int = 32,
    ) -> None:
        """Open the model; nothing is computed yet.

        Args:
            providers: of onnxruntime, the first has to work; default: the CPU.
            threads: how many work on one call.
            precision: which of the bundle's variants.
            largest: the most photos of one run, where the provider is not the CPU.

        Raises:
            BundleError: the model is not there, cannot be read or does not fit `bundle.json`.
            SetupError: the provider is not there.
        """
        self.bundle = bundle
        self._variant = bundle.manifest.variant(precision)
        self._session = open_session(bundle.model(precision), providers, threads)
        check_signature(self._session, bundle.image_size, len(bundle.labels))
        is_cpu = self.provider == CPU
        self._compute = self._call if is_cpu else Buckets(self._session, "cuda", largest).run

    @property
    def provider(self) -> str:
        """What the model runs on."""
        return self._session.get_providers()[0]

    def predict(self, images: Images, batch_size: int = 16) -> Probabilities:
        """Probabilities, float32 `[n, classes]`, of uint8 RGB photos `[n, size, size, 3]`.

        Raises:
            UsageError: photos of another type or shape, or a batch of none.
        """
        _check_batch(batch_size)
        self._check(images)
        starts = range(0, len(images), batch_size)
        parts = [self.run(images[start : start + batch_size]) for start in starts]
        return np.concatenate([np.empty((0, len(self.bundle.labels)), np.float32), *parts])

    def run(self, images: Images) -> Probabilities:
        """As `predict`, in one run and with nothing checked: for photos that were, one or more."""
        return self._compute(images)

    def replay_golden(self) -> float:
        """Compute the golden samples on this hardware.

        Returns:
            The largest difference of a probability from what the bundle says.

        Raises:
            BundleError: it is above the variant's tolerance, or a sample gets another label.
        """
        golden = self.bundle.golden()
        expected = golden.expected(self._variant.precision)
        given = self.predict(golden.images)
        if given.shape != expected.shape:
            raise self._differs(f"probabilities of shape {list(given.shape)}", expected)
        difference = float(np.abs(given - expected).max())
        # Not `>`: that would let a NaN through.
        if not difference <= self._variant.tolerance:
            raise self._differs(f"a largest difference of {difference:.2g}", expected)
        relabelled = int((given.argmax(1) != expected.argmax(1)).sum())
        if relabelled:
            raise self._differs(f"another label for {relabelled} samples", expected)
        return difference

    def classify(
        self, photos: Iterable[Path | bytes], batch_size: int = 16
    ) -> Iterator[Prediction]:
        """A prediction for each photo, in their order; an unreadable one gets its `error`.

        Photos are read `batch_size` at a time, so the iterable may be endless.

        Raises:
            UsageError: a batch of none.
        """
        _check_batch(batch_size)
        numbered = enumerate(photos)
        with ThreadPoolExecutor() as pool:
            while batch := list(islice(numbered, batch_size)):
                read = list(pool.map(self._read, (photo for _, photo in batch)))
                yield from self._label([_name(*one) for one in batch], read)

    def _label(self, names: list[str], read: list[Images | str]) -> Iterator[Prediction]:
        whole = [photo for photo in read if not isinstance(photo, str)]
        rows = iter(self.predict(np.stack(whole), len(whole)) if whole else ())
        for name, photo in zip(names, read, strict=True):
            if isinstance(photo, str):
                yield Prediction(name, error=photo)
            else:
                yield self._prediction(name, next(rows))

    def _prediction(self, name: str, row: Probabilities) -> Prediction:
        best = int(row.argmax())
        return Prediction(name, self.bundle.labels[best], float(row[best]), row)

    def _read(self, photo: Path | bytes) -> Images | str:
        try:
            return read_photo(photo, self.bundle.image_size)
        except UnreadablePhoto as error:
            return error.reason

    def _call(self, images: Images) -> Probabilities:
        return self._session.run(_OUTPUTS, {"images": images})[0]

    def _differs(self, received: str, expected: Probabilities) -> BundleError:
        near = f"each within {self._variant.tolerance:g}, same labels"
        return BundleError(
            f"the {self._variant.precision} model's answers for the golden samples are not those "
            "of the bundle",
            received=received,
            expected=f"{list(expected.shape)} probabilities, {near}",
            hint="try another provider or machine; if it stays: tlsearch export SWEEP",
        )

    def _check(self, images: Images) -> None:
        size = self.bundle.image_size
        if images.dtype != np.uint8 or images.shape[1:] != (size, size, 3):
            raise UsageError(
                "these are no photos for this model",
                received=f"{images.dtype} {list(images.shape)}",
                expected=f"uint8 [n, {size}, {size}, 3]",
                hint="read them with read_photo of tlsearch.data.photo, or use Engine.classify",
            )


def _check_batch(size: int) -> None:
    if size < 1:
        raise UsageError("a batch holds at least one photo", received=size, expected="1 or more")


def _name(number: int, photo: Path | bytes) -> str:
    return f"photo {number}" if isinstance(photo, bytes) else str(photo)
