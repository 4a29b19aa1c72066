"""What is done to a photo before a network, for each of the conventions of keras.applications.

Works on tensors of the running backend and on symbolic ones, and creates no variable, so that it
can stand inside a model without changing its published number of parameters. Always computes in
float32: bfloat16 has too few bits for 256 grey levels after a shift.
Constants: https://keras.io/api/applications/ (each network's `preprocess_input`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tlsearch.backbones.table import Preprocessing

Preprocess = Callable[[Any], Any]

_BGR_MEAN = (103.939, 116.779, 123.68)
_RGB_MEAN = (0.485, 0.456, 0.406)
_RGB_DEVIATION = (0.229, 0.224, 0.225)


def preprocessing(kind: Preprocessing) -> Preprocess:
    """The function from float32 RGB `[batch, height, width, 3]`, 0..255, to the network's input."""
    return {
        "minus_one_to_one": _scale_to_one,
        "bgr_minus_mean": _subtract_bgr_mean,
        "mean_and_deviation": _standardise,
        "in_graph": keep,
    }[kind]


def keep(images: Any) -> Any:
    """For networks that normalise inside their own graph."""
    return images


def _scale_to_one(images: Any) -> Any:
    return rescale(images, scale=1 / 127.5, offset=-1.0)


def _subtract_bgr_mean(images: Any) -> Any:
    import keras

    bgr = keras.ops.take(images, [2, 1, 0], axis=-1)
    return rescale(bgr, scale=1.0, offset=[-mean for mean in _BGR_MEAN])


def _standardise(images: Any) -> Any:
    scale = [1 / (255 * deviation) for deviation in _RGB_DEVIATION]
    offset = [-m / d for m, d in zip(_RGB_MEAN, _RGB_DEVIATION, strict=True)]
    return rescale(images, scale, offset)


def rescale(images: Any, scale: float | list[float], offset: float | list[float]) -> Any:
    """`images * scale + offset`, in float32 under every precision policy."""
    import keras

    return keras.layers.Rescaling(scale, offset, dtype="float32", name="preprocess")(images)
