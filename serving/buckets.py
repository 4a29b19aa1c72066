"""Running a model on a device in batches of few sizes, through onnxruntime's IOBinding.

A device prepares itself anew for each size of batch that it has not seen; so a batch is padded to
the next power of two, and the sizes are few enough to be warmed up before the first request.
"""

from __future__ import annotations

import threading

import numpy as np
import onnxruntime as ort

from serving.session import Images, Probabilities


class Buckets:
    """A session whose batches are padded. Several threads may call it at once."""

    def __init__(self, session: ort.InferenceSession, device: str, largest: int) -> None:
        """Prepare memory for each size; nothing is computed yet.

        Args:
            device: `cuda` or `cpu`, where the model runs.
            largest: the most photos of one run; rounded up to a power of two.
        """
        size = session.get_inputs()[0].shape[1]
        powers = range((largest - 1).bit_length() + 1)
        self._buckets = [_Bucket(session, device, (2**power, size, size, 3)) for power in powers]

    @property
    def largest(self) -> int:
        """The most photos of one run."""
        return self._buckets[-1].size

    def run(self, images: Images) -> Probabilities:
        """Probabilities, float32 `[n, classes]`, of uint8 photos `[n, size, size, 3]`."""
        if len(images) <= self.largest:
            return self._fitting(len(images)).run(images)
        starts = range(0, len(images), self.largest)
        return np.concatenate([self.run(images[start : start + self.largest]) for start in starts])

    def _fitting(self, photos: int) -> _Bucket:
        return self._buckets[max(0, photos - 1).bit_length()]


class _Bucket:
    """Batches of one size, one at a time."""

    def __init__(
        self, session: ort.InferenceSession, device: str, shape: tuple[int, int, int, int]
    ) -> None:
        self.size = shape[0]
        self._session = session
        self._padded = np.zeros(shape, np.uint8)
        self._input = ort.OrtValue.ortvalue_from_numpy(self._padded, device, 0)
        self._binding = session.io_binding()
        self._binding.bind_ortvalue_input("images", self._input)
        self._binding.bind_output("probabilities", "cpu")
        self._turn = threading.Lock()

    def run(self, images: Images) -> Probabilities:
        with self._turn:
            # What an earlier batch left behind the photos is as good a padding as zeros.
            self._padded[: len(images)] = images
            self._input.update_inplace(self._padded)
            self._session.run_with_iobinding(self._binding)
            return self._binding.copy_outputs_to_cpu()[0][: len(images)].copy()
