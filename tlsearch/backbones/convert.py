"""From a Keras model to an ONNX model in memory. Saving, checking and quantising lie elsewhere.

Keras' own `export(format="onnx")` silently adds inputs to some networks, so the graph is traced,
frozen and handed to tf2onnx here.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tlsearch.errors import SetupError, UsageError

if TYPE_CHECKING:
    import keras
    import onnx


def to_onnx(
    model: keras.Model,
    *,
    opset: int = 17,
    input_name: str = "images",
    output_name: str = "probabilities",
) -> onnx.ModelProto:
    """Convert a float32 model with one input and one output; the batch is left open.

    Args:
        model: its input's type is kept (uint8 photos stay uint8) and so are its sizes.
        opset: of ONNX, at most 18, which is what tf2onnx knows.

    Raises:
        SetupError: Keras does not run on TensorFlow.
        UsageError: several inputs or outputs, or layers that compute in half precision.
    """
    _check_backend()
    _check_model(model)
    frozen = _freeze(model)
    graph = _convert(frozen, opset, input_name, output_name)
    for value in (*graph.graph.input, *graph.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    _check_result(graph, input_name)
    return graph


def _check_backend() -> None:
    import keras

    if keras.backend.backend() != "tensorflow":
        raise SetupError(
            "the conversion to ONNX goes through TensorFlow",
            received=f"KERAS_BACKEND={keras.backend.backend()}",
            expected="KERAS_BACKEND=tensorflow, whatever the model was trained with",
            hint="KERAS_BACKEND=tensorflow tlsearch export SWEEP",
        )


def _check_model(model: keras.Model) -> None:
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise UsageError(
            "this model is not from photos to one answer",
            received=f"{len(model.inputs)} inputs, {len(model.outputs)} outputs",
            expected="one of each",
        )
    half = [layer.name for layer in model.layers if layer.compute_dtype != "float32"]
    if half:
        raise UsageError(
            "a model in half precision does not become a sound ONNX model",
            received=f"{_types(model)} in {', '.join(half[:3])}{' and others' * (len(half) > 3)}",
            expected="float32 in every layer",
            hint="build the model again under float32 and load its weights",
        )


def _types(model: keras.Model) -> str:
    return ", ".join(sorted({layer.compute_dtype for layer in model.layers} - {"float32"}))


def _freeze(model: keras.Model) -> Any:
    """The model at inference as one TensorFlow function, its variables turned into constants."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    image = model.inputs[0]
    signature = tf.TensorSpec((None, *image.shape[1:]), image.dtype, name="images")
    with _without_xla():
        function = tf.function(lambda images: model(images, training=False))
        concrete = function.get_concrete_function(signature)
        return convert_variables_to_constants_v2(concrete)


@contextmanager
def _without_xla() -> Iterator[None]:
    """Let `tf.function(jit_compile=True)` trace plain operations.

    Keras compiles grouped convolutions (ConvNeXt) with XLA, which leaves a call in the graph that
    only XLA understands.
    """
    import tensorflow as tf

    original = tf.function

    def plain(*args: Any, **options: Any) -> Any:
        options.pop("jit_compile", None)
        return original(*args, **options)

    tf.function = plain
    try:
        yield
    finally:
        tf.function = original


def _convert(frozen: Any, opset: int, input_name: str, output_name: str) -> onnx.ModelProto:
    names = (input_name, output_name)
    try:
        with _without_copies():
            return _run_tf2onnx(frozen, opset, names)
    except Exception:  # a pass of its optimiser failed, which may raise anything
        logging.getLogger("tf2onnx.optimizer").setLevel(logging.ERROR)  # or it prints the trace
        return _run_tf2onnx(frozen, opset, names)


def _run_tf2onnx(frozen: Any, opset: int, names: tuple[str, str]) -> onnx.ModelProto:
    import tf2onnx

    [image], [answer] = frozen.inputs, frozen.outputs
    graph, _ = tf2onnx.convert.from_graph_def(
        frozen.graph.as_graph_def(),
        name="tlsearch",
        input_names=[image.name],
        output_names=[answer.name],
        opset=opset,
        custom_op_handlers={"Erfc": (_convert_erfc, [])},
        tensors_to_rename=dict(zip((image.name, answer.name), names, strict=True)),
    )
    return graph


@contextmanager
def _without_copies() -> Iterator[None]:
    """Keep tf2onnx from copying the graph before each of its dozens of optimisation passes.

    It does so in order to go on after a pass that fails (one does on MobileNetV3), and spends half
    its time on it.
    """
    name = "TF2ONNX_CATCH_ERRORS"
    before = os.environ.get(name)
    os.environ[name] = "FALSE"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _convert_erfc(context: Any, node: Any, name: str, args: list[Any]) -> None:
    """erfc(x) is 1 - erf(x); ONNX has only the latter."""
    import numpy as np

    erf = context.make_node("Erf", [node.input[0]], name=f"{name}_erf")
    one = context.make_const(f"{name}_one", np.array(1, dtype=np.float32))
    [output] = node.output
    known = {"shapes": [context.get_shape(output)], "dtypes": [context.get_dtype(output)]}
    context.remove_node(node.name)
    context.make_node("Sub", [one.output[0], erf.output[0]], name=name, outputs=[output], **known)


def _check_result(graph: onnx.ModelProto, input_name: str) -> None:
    """tf2onnx writes operations that it cannot convert into the graph as they are."""
    import onnx

    names = [value.name for value in graph.graph.input]
    domains = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft"}
    foreign = {
        node.op_type
        for node in graph.graph.node
        if node.domain not in domains or not onnx.defs.has(node.op_type, node.domain)
    }
    if names == [input_name] and not foreign:
        return
    raise UsageError(
        "this network has no ONNX form",
        received=f"inputs {names}, operations without a counterpart: {sorted(foreign)}",
        expected=f"the input {input_name} and operations of ONNX",
        hint="choose another backbone; `tlsearch backbones` lists those that convert",
    )
