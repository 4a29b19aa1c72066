"""A small convolutional network in ONNX, and photos for it."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from tlsearch.training.photos import Photos

SIZE, CHANNELS, CLASSES = 16, 8, 3


def make_network(scale=1 / 127.5, offset=-1.0, seed=0):
    """uint8 photos, scaled, through two convolutions and a head.

    scale and offset are numbers, or three of them, one a channel.
    """
    draw = np.random.default_rng(seed).normal
    arrays = {
        "scale": np.asarray(scale, np.float32),
        "offset": np.asarray(offset, np.float32),
        "first": draw(size=(CHANNELS, 3, 3, 3)).astype(np.float32) / 3,
        "first_bias": draw(size=CHANNELS).astype(np.float32) / 3,
        "second": draw(size=(CHANNELS, CHANNELS, 3, 3)).astype(np.float32) / 6,
        "second_bias": draw(size=CHANNELS).astype(np.float32) / 6,
        "head": draw(size=(CHANNELS, CLASSES)).astype(np.float32) * 9,
        "head_bias": np.zeros(CLASSES, np.float32),
        "axes": np.array([2, 3]),
    }
    pads = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    steps = [
        ("Cast", ["images"], "wide", {"to": TensorProto.FLOAT}),
        ("Mul", ["wide", "scale"], "scaled", {}),
        ("Add", ["scaled", "offset"], "moved", {}),
        ("Transpose", ["moved"], "turned", {"perm": [0, 3, 1, 2]}),
        ("Conv", ["turned", "first", "first_bias"], "one", pads),
        ("Relu", ["one"], "one_relu", {}),
        ("Conv", ["one_relu", "second", "second_bias"], "two", pads),
        ("Relu", ["two"], "two_relu", {}),
        ("GlobalAveragePool", ["two_relu"], "pooled", {}),
        ("Squeeze", ["pooled", "axes"], "features", {}),
        ("Gemm", ["features", "head", "head_bias"], "logits", {}),
        ("Softmax", ["logits"], "probabilities", {}),
    ]
    nodes = [
        helper.make_node(kind, inputs, [output], name=f"n_{output}", **options)
        for kind, inputs, output, options in steps
    ]
    photo, answer = ["batch", SIZE, SIZE, 3], ["batch", CLASSES]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, photo)],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, answer)],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def make_photos(count, seed=0):
    """Smooth random photos: a colour that changes from corner to corner."""
    generator = np.random.default_rng(seed)
    corners = generator.integers(0, 256, (count, 2, 2, 3))
    pixels = np.kron(corners, np.ones((1, SIZE // 2, SIZE // 2, 1)))
    noise = generator.integers(-20, 21, pixels.shape)
    pixels = np.clip(pixels + noise, 0, 255).astype(np.uint8)
    return Photos(pixels, np.arange(count))
