"""What onnxruntime answers is what Keras answers."""

from __future__ import annotations

import gc

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from keras import layers

from tlsearch.backbones.build import build
from tlsearch.backbones.convert import to_onnx
from tlsearch.backbones.cut import assemble
from tlsearch.backbones.table import BACKBONES
from tlsearch.config.schema import BackboneChoice
from tlsearch.errors import SetupError, UsageError

GIANTS = {
    "ConvNeXtBase",
    "ConvNeXtLarge",
    "ConvNeXtXLarge",
    "EfficientNetB6",
    "EfficientNetB7",
    "EfficientNetV2M",
    "EfficientNetV2L",
    "NASNetLarge",
    "ResNet152",
    "ResNet152V2",
}
"""Larger editions of networks that are converted here; each would take minutes."""


def _photos(size, count=3):
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype="uint8")


def _answers(converted, photos):
    session = onnxruntime.InferenceSession(
        converted.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name
    return session.run(None, {name: photos})[0]


def _assert_parity(name, alpha=None, pretrained=False):
    """On the feature map, relative to its largest value: random weights give any scale."""
    backbone = build(
        BackboneChoice(name=name, alpha=alpha), BACKBONES[name].smallest, pretrained=pretrained
    )
    full = assemble(backbone, lambda features: features)
    photos = _photos(backbone.image_size)
    wanted = np.asarray(full(photos))
    scale = np.abs(wanted).max()
    assert 0 < scale < np.inf
    assert np.abs(_answers(to_onnx(full), photos) - wanted).max() <= 1e-3 * scale


@pytest.mark.parametrize(
    ("name", "alpha"),
    [("ResNet10", None), ("MobileNet", 0.25), ("MobileNetV2", 0.35), ("EfficientNetB0", None)],
)
def test_small_networks(name, alpha):
    _assert_parity(name, alpha)


def test_network_on_which_an_optimiser_pass_fails():
    """tf2onnx 1.17: its transposing pass cannot read the scalars of MobileNetV3's hard sigmoid."""
    _assert_parity("MobileNetV3Small")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(BACKBONES) - GIANTS))
def test_networks_of_the_table(name):
    _assert_parity(name)
    gc.collect()


def test_real_weights(shared, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(shared / "keras"))
    _assert_parity("MobileNetV2", pretrained=True)


@pytest.fixture(scope="module")
def small():
    """All that ConvNeXt is hard for: a grouped convolution, and GELU, whose erfc ONNX lacks."""
    images = keras.Input((16, 16, 3), dtype="uint8")
    x = layers.Conv2D(8, 4, strides=4)(keras.ops.cast(images, "float32") / 255)
    x = layers.Conv2D(8, 3, padding="same", groups=8)(x)
    x = layers.LayerNormalization()(x)
    x = layers.Activation("gelu")(layers.Dense(16)(x))
    answer = layers.Dense(4, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    return keras.Model(images, answer)


def test_grouped_convolution_and_gelu(small):
    photos = _photos(16)
    np.testing.assert_allclose(_answers(to_onnx(small), photos), small(photos), atol=1e-5)


def test_signature(small):
    converted = to_onnx(small)
    onnx.checker.check_model(converted, full_check=True)
    [images], [answer] = converted.graph.input, converted.graph.output
    assert (images.name, answer.name) == ("images", "probabilities")
    assert images.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert answer.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    shapes = [
        [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in (images, answer)
    ]
    assert shapes == [["batch", 16, 16, 3], ["batch", 4]]
    assert [entry.version for entry in converted.opset_import if not entry.domain] == [17]


def test_other_names_and_opset(small):
    converted = to_onnx(small, opset=18, input_name="pixels", output_name="scores")
    assert converted.graph.input[0].name == "pixels"
    assert converted.graph.output[0].name == "scores"
    assert [entry.version for entry in converted.opset_import if not entry.domain] == [18]


@pytest.mark.parametrize("count", [1, 2, 7])
def test_any_batch(small, count):
    assert _answers(to_onnx(small), _photos(16, count)).shape == (count, 4)


def test_dropout_and_batch_normalisation_are_at_inference():
    images = keras.Input((8, 8, 3))
    x = layers.BatchNormalization()(layers.Dropout(0.9)(images))
    model = keras.Model(images, layers.GlobalAveragePooling2D()(x))
    photos = _photos(8).astype("float32")
    np.testing.assert_allclose(_answers(to_onnx(model), photos), model(photos), rtol=1e-5)


def test_half_precision_is_refused():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        images = keras.Input((8, 8, 3))
        model = keras.Model(images, layers.Conv2D(2, 3)(images))
    finally:
        keras.config.set_dtype_policy(policy)
    with pytest.raises(UsageError, match="half precision"):
        to_onnx(model)


def test_two_inputs_are_refused():
    one, other = keras.Input((4,)), keras.Input((4,))
    with pytest.raises(UsageError, match="2 inputs"):
        to_onnx(keras.Model([one, other], layers.Add()([one, other])))


def test_an_operation_that_onnx_lacks_is_refused():
    images = keras.Input((8, 8, 3))
    model = keras.Model(images, keras.ops.fft2((images, images))[0])
    with pytest.raises(UsageError, match="no ONNX form"):
        to_onnx(model)


def test_other_backends_are_refused(small, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(SetupError, match="KERAS_BACKEND=tensorflow"):
        to_onnx(small)


def test_tracing_leaves_tensorflow_as_it_was(small):
    import tensorflow as tf

    before = tf.function
    to_onnx(small)
    assert tf.function is before
