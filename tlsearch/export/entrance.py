"""Photos enter an int8 model as the bytes that they are.

A backbone's preprocessing turns a byte x into a * x + b. Where a and b are the same for all three
channels, bytes are that already, quantised: with the scale a and the zero point -b / a, rounded.
What rounding leaves, at most half a grey level, is the same for every pixel and goes into the
first convolution's bias, so only its padding is off by it. That saves four passes over the photo
and a bit: quantising a * x + b with the range it has would let neighbouring bytes fall together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tlsearch.export.runtime import open_session

if TYPE_CHECKING:
    import onnx

ENTRANCE = "entrance"
_NEAR = 1e-5
_PERMUTATION = [0, 3, 1, 2]


@dataclass(frozen=True, eq=False)
class Entrance:
    """Where the photos come to the first convolution as a * x + b."""

    nodes: tuple[onnx.NodeProto, ...]
    convolution: onnx.NodeProto
    scale: float
    offset: float

    @property
    def zero_point(self) -> int:
        """The byte that stands for about 0."""
        return round(-self.offset / self.scale)


def find_entrance(model: onnx.ModelProto) -> Entrance | None:
    """The entrance of a model on `images`; None where it is not of this kind."""
    found = _way_in(model)
    if found is None:
        return None
    nodes, convolution = found
    line = _line(model, convolution.input[0])
    if line is None:
        return None
    entrance = Entrance(nodes, convolution, *line)
    return entrance if 0 <= entrance.zero_point <= 255 else None


def straighten(model: onnx.ModelProto, entrance: Entrance) -> None:
    """Let the model compute a * (x - zero point) into the tensor `ENTRANCE` instead."""
    from onnx import TensorProto, helper, numpy_helper

    values = {
        "entrance_zero": np.float32(entrance.zero_point),
        "entrance_scale": np.float32(entrance.scale),
    }
    model.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()
    )
    nodes = [
        helper.make_node("Cast", ["images"], ["entrance_cast"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["entrance_cast", "entrance_zero"], ["entrance_sub"]),
        helper.make_node("Mul", ["entrance_sub", "entrance_scale"], ["entrance_mul"]),
        helper.make_node("Transpose", ["entrance_mul"], [ENTRANCE], perm=_PERMUTATION),
    ]
    for node in nodes:
        node.name = node.output[0]
    rest = [node for node in model.graph.node if node not in entrance.nodes]
    first = next(node for node in rest if node.name == entrance.convolution.name)
    first.input[0] = ENTRANCE
    _shift_bias(model, first, entrance.offset + entrance.scale * entrance.zero_point)
    del model.graph.node[:]
    model.graph.node.extend([*nodes, *rest])


def open_entrance(model: onnx.ModelProto) -> None:
    """Lead the bytes straight into the quantised model, past what `straighten` has put there."""
    from onnx import helper

    [quantise] = [node for node in model.graph.node if list(node.input)[:1] == [ENTRANCE]]
    past = {"entrance_cast", "entrance_sub", "entrance_mul", ENTRANCE, quantise.output[0]}
    rest = [node for node in model.graph.node if not past & set(node.output)]
    turn = helper.make_node("Transpose", ["images"], [quantise.output[0]], perm=_PERMUTATION)
    turn.name = "entrance_turn"
    del model.graph.node[:]
    model.graph.node.extend([turn, *rest])


def _way_in(
    model: onnx.ModelProto,
) -> tuple[tuple[onnx.NodeProto, ...], onnx.NodeProto] | None:
    """The nodes, one behind the other, from the photos to a first convolution with a bias."""
    nodes: list[onnx.NodeProto] = []
    tensor = "images"
    while True:
        readers = [node for node in model.graph.node if tensor in node.input]
        if len(readers) != 1:
            return None
        [node] = readers
        if node.op_type == "Conv":
            weights = {one.name for one in model.graph.initializer}
            is_plain = len(node.input) == 3 and set(node.input[1:]) <= weights
            return (tuple(nodes), node) if is_plain else None
        if node.op_type not in ("Cast", "Mul", "Add", "Sub", "Div", "Transpose"):
            return None
        nodes.append(node)
        tensor = node.output[0]


def _line(model: onnx.ModelProto, tensor: str) -> tuple[float, float] | None:
    """a and b, if the tensor, [batch, channels, s, s], is a * x + b of the photos."""
    import onnx
    from onnx import TensorProto, helper

    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    probe.graph.output.append(helper.make_tensor_value_info(tensor, TensorProto.FLOAT, None))
    size = model.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    photo = np.arange(size * size * 3, dtype=np.uint32).reshape(1, size, size, 3).astype(np.uint8)
    [given] = open_session(probe.SerializeToString()).run([tensor], {"images": photo})
    turned = photo.transpose(_PERMUTATION).astype(np.float64)
    if given.shape != turned.shape:
        return None
    slope, offset = np.polyfit(turned.ravel(), given.ravel().astype(np.float64), 1)
    far = np.abs(slope * turned + offset - given).max()
    return (float(slope), float(offset)) if far < _NEAR * 255 * slope else None


def _shift_bias(model: onnx.ModelProto, convolution: onnx.NodeProto, shift: float) -> None:
    """Let the bias make up for an input that is everywhere smaller by `shift`."""
    from onnx import numpy_helper

    arrays = {one.name: one for one in model.graph.initializer}
    weights = numpy_helper.to_array(arrays[convolution.input[1]])
    bias = numpy_helper.to_array(arrays[convolution.input[2]])
    moved = bias + shift * weights.sum(axis=(1, 2, 3), dtype=np.float64)
    name = f"{convolution.input[2]}_shifted"
    model.graph.initializer.append(numpy_helper.from_array(moved.astype(np.float32), name))
    convolution.input[2] = name
