"""A real bundle around a small real ONNX model."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from tlsearch.data.photo import RESIZE_RULE
from tlsearch.export.golden import Golden
from tlsearch.export.manifest import Manifest, Metrics, Run, Score, Variant

SIZE = 8
LABELS = ["red", "green", "blue"]


def tiny_model(size: int = SIZE, classes: int = len(LABELS), name: str = "images"):
    """uint8 photos to probabilities: the mean of each channel, weighed, softmax."""
    weights = np.eye(3, classes, dtype=np.float32) / 32
    nodes = [
        helper.make_node("Cast", [name], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels"], ["means"], axes=[1, 2], keepdims=0),
        helper.make_node("Gemm", ["means", "weights", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.UINT8, ["batch", size, size, 3])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", classes])],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.zeros(classes, np.float32), "bias"),
        ],
    )
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    onnx.checker.check_model(model)
    return model


def manifest(**changes) -> Manifest:
    score = Score(photos=10, accuracy=0.9)
    values = {
        "name": "colours",
        "labels": LABELS,
        "image_size": SIZE,
        "resize": RESIZE_RULE,
        "backbone": "tiny",
        "strategy": "feature_extraction",
        "parameters": {"dropout": 0.2, "unfreeze": None},
        "metrics": Metrics(validation=score),
        "variants": [
            Variant(file="model.onnx", precision="fp32", size_bytes=1, max_difference=1e-7)
        ],
        "run": Run(sweep="colours", trial=3, mlflow_run="abc", dataset="0" * 64),
        "versions": {"tlsearch": "0.1.0"},
        "created": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    }
    return Manifest(**{**values, **changes})


def golden_of(folder: Path, count: int = 4) -> Golden:
    """Random photos, and what the folder's model says of them."""
    images = np.random.default_rng(0).integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)
    session = ort.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    return Golden(images, session.run(None, {"images": images})[0])


def failing_model(above: int):
    """The tiny model, which fails for batches of more photos than that."""
    model = tiny_model()
    graph = model.graph
    softmax = graph.node.pop()
    graph.node.extend(
        [
            helper.make_node("Shape", ["images"], ["batch"], end=1),
            helper.make_node("Gather", ["zeros", "batch"], ["zero"]),
            helper.make_node("Add", ["logits", "zero"], ["same"]),
            helper.make_node("Softmax", ["same"], softmax.output, axis=-1),
        ]
    )
    graph.initializer.append(numpy_helper.from_array(np.zeros(above + 1, np.float32), "zeros"))
    onnx.checker.check_model(model)
    return model


def hanging_model():
    """The tiny model, which for white photos goes round in a loop that does not end."""
    model = tiny_model()
    graph = model.graph
    softmax = graph.node.pop()
    step = helper.make_graph(
        [
            helper.make_node("Identity", ["goes_on"], ["still_goes_on"]),
            helper.make_node("Neg", ["turn"], ["turned"]),
        ],
        "round",
        [
            helper.make_tensor_value_info("number", TensorProto.INT64, []),
            helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("turn", TensorProto.FLOAT, []),
        ],
        [
            helper.make_tensor_value_info("still_goes_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("turned", TensorProto.FLOAT, []),
        ],
    )
    graph.node.extend(
        [
            helper.make_node("ReduceMin", ["pixels"], ["darkest"], keepdims=0),
            helper.make_node("Equal", ["darkest", "white"], ["is_white"]),
            helper.make_node("Cast", ["is_white"], ["once"], to=TensorProto.INT64),
            helper.make_node("Mul", ["once", "endless"], ["rounds"]),
            helper.make_node("Loop", ["rounds", "", "nothing"], ["end"], body=step),
            helper.make_node("Add", ["logits", "end"], ["delayed"]),
            helper.make_node("Softmax", ["delayed"], softmax.output, axis=-1),
        ]
    )
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.array(255, np.float32), "white"),
            numpy_helper.from_array(np.array(1 << 60, np.int64), "endless"),
            numpy_helper.from_array(np.array(0, np.float32), "nothing"),
        ]
    )
    onnx.checker.check_model(model)
    return model
