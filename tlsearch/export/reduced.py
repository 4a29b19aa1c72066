"""The same model in fewer bits: fp16, and int8 in the ways it can be made.

Leaves out whether one of them is worth keeping: see `variants`.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tlsearch.export.entrance import ENTRANCE, find_entrance, open_entrance, straighten
from tlsearch.training.photos import Photos

if TYPE_CHECKING:
    import onnx

Reduced = Literal["fp16", "int8"]
CALIBRATION_PHOTOS = 256
_IN_FLOAT = ("Cast", "GlobalAveragePool", "Gemm", "Softmax", "Sigmoid")
"""The head has few numbers: in float they cost little time. Pooled features differ more from photo
to photo than what they are pooled from, and a range that is right for most would cut some off."""


@dataclass(frozen=True)
class Recipe:
    """One way to make a model in fewer bits; `words` are for the manifest."""

    words: str
    make: Callable[[onnx.ModelProto, Photos], bytes]


def to_fp16(model: onnx.ModelProto, photos: Photos) -> bytes:
    """Weights and sums in fp16; photos and probabilities keep their types, the softmax is exact."""
    from onnx import ModelProto
    from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

    copy = ModelProto()
    copy.CopyFrom(model)
    kept = [*DEFAULT_OP_BLOCK_LIST, "Softmax", "Sigmoid"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it names every weight below fp16's smallest number
        half = convert_float_to_float16(copy, keep_io_types=True, op_block_list=kept)
    return half.SerializeToString()


def to_int8(
    model: onnx.ModelProto,
    photos: Photos,
    *,
    draw: int = 0,
    batch: int = 16,
    averaged: bool = True,
    seven_bits: bool = False,
) -> bytes:
    """Static quantisation: int8 weights with a scale a channel, uint8 activations, in QDQ form.

    The head stays in floating point, and so does what prepares the photos, if it is there at all.

    Args:
        photos: the training photos, of which some tell the ranges of the activations.
        draw: which of them.
        batch: how many photos are looked at together.
        averaged: the ranges are means over batches, not the extremes of all: a rare outlier then
            does not cost every other activation its resolution, the less the smaller the batch.
        seven_bits: for weights. Processors without VNNI add pairs of products in 16 bits, which
            full weights may overflow.
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    with _prepared(model) as (prepared, target):
        overrides = _let_bytes_in(prepared)
        quantize_static(
            prepared,
            target,
            _reader(photos, draw, batch),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=seven_bits,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            nodes_to_exclude=_in_float(prepared),
            extra_options={"CalibMovingAverage": averaged, "TensorQuantOverrides": overrides},
        )
        quantised = onnx.load(target)
        if overrides:
            open_entrance(quantised)
        return quantised.SerializeToString()


def _let_bytes_in(prepared: Path) -> dict[str, list[dict[str, np.ndarray]]]:
    """Straighten the model's entrance where it has one; how that tensor is to be quantised."""
    import onnx

    model = onnx.load(prepared)
    entrance = find_entrance(model)
    if entrance is None:
        return {}
    straighten(model, entrance)
    onnx.save(model, prepared)
    scale, zero = np.float32(entrance.scale), np.uint8(entrance.zero_point)
    return {ENTRANCE: [{"scale": np.array(scale), "zero_point": np.array(zero)}]}


_WAYS: dict[str, dict[str, Any]] = {
    "ranges averaged over batches of 16": {},
    "ranges averaged over batches of 4": {"batch": 4},
    "ranges averaged over batches of 16 other photos": {"draw": 1},
    "ranges averaged over batches of 4 other photos": {"draw": 2, "batch": 4},
    "ranges of all batches": {"averaged": False},
    "ranges averaged over batches of 16, weights of 7 bits": {"seven_bits": True},
}

RECIPES: dict[Reduced, tuple[Recipe, ...]] = {
    "fp16": (Recipe("onnxruntime.transformers.float16", to_fp16),),
    "int8": tuple(
        Recipe(
            f"static QDQ, per channel, {words}, {CALIBRATION_PHOTOS} training photos",
            partial(to_int8, **choices),
        )
        for words, choices in _WAYS.items()
    ),
}
"""In the order in which they are tried; the first that is exact enough is taken. Rounding pushes
some photos over the edge either way, and in each of the ways others."""


@contextlib.contextmanager
def _prepared(model: onnx.ModelProto) -> Iterator[tuple[Path, Path]]:
    """The model with known shapes and fused layers, as the quantiser wants it; and a target."""
    import onnx
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as place, _quiet():
        model_path, prepared = Path(place, "model.onnx"), Path(place, "prepared.onnx")
        onnx.save(model, model_path)
        # The symbolic inference is for transformers, and another package.
        quant_pre_process(model_path, prepared, skip_symbolic_shape=True)
        yield prepared, Path(place, "int8.onnx")


def _in_float(model: Path) -> list[str]:
    """The nodes on the way from the photos to the first convolution, and the head."""
    import onnx

    early, names = {"images"}, []
    for node in onnx.load(model).graph.node:
        first = early & set(node.input) and node.op_type not in ("Conv", "Gemm", "MatMul")
        if first:
            early |= set(node.output)
        if first or node.op_type in _IN_FLOAT:
            names.append(node.name)
    return names


def _reader(photos: Photos, draw: int, batch: int) -> object:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        """Some of the photos, spread over all classes as these are: they are drawn."""

        def __init__(self) -> None:
            count = min(CALIBRATION_PHOTOS, len(photos))
            chosen = np.random.default_rng(draw).permutation(len(photos))[:count]
            starts = range(0, count, batch)
            self._batches = (photos.take(chosen[start : start + batch]) for start in starts)

        def get_next(self) -> dict[str, np.ndarray] | None:
            images = next(self._batches, None)
            return None if images is None else {"images": images}

    return Reader()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The quantiser logs advice on the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
