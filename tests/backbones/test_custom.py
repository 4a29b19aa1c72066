"""Users' own networks."""

from __future__ import annotations

import sys

import keras
import numpy as np
import pytest
from keras import layers

from tlsearch.backbones.build import build
from tlsearch.backbones.custom import name_by_place
from tlsearch.backbones.cut import assemble, boundary, cut
from tlsearch.config.schema import BackboneChoice
from tlsearch.errors import SetupError, UsageError, WeightsError

PHOTOS = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype="uint8")


@pytest.fixture
def own(tmp_path):
    """Saves a model and gives the spec of its file."""

    def save(model):
        model.save(tmp_path / "own.keras")
        return BackboneChoice(name=str(tmp_path / "own.keras"))

    return save


def _plain(size=32):
    images = keras.Input((size, size, 3))
    x = layers.Rescaling(1 / 255)(images)
    x = layers.Conv2D(4, 3, strides=2, activation="relu", name="first")(x)
    x = layers.Conv2D(8, 3, use_bias=False, name="second")(x)
    x = layers.BatchNormalization(name="second_norm")(x)
    x = layers.ReLU(name="second_relu")(x)
    pooled = layers.GlobalAveragePooling2D()(x)
    return keras.Model(images, layers.Dense(7, activation="softmax")(pooled))


def _features(model, name):
    return keras.Model(model.input, model.get_layer(name).output)


def test_classifier_is_taken_off(own):
    model = _plain()
    backbone = build(own(model), None)
    assert backbone.image_size == 32
    assert backbone.blocks == ("first", "second_relu")
    wanted = _features(model, "second_relu")(PHOTOS.astype("float32"))
    np.testing.assert_allclose(assemble(backbone, lambda x: x)(PHOTOS), wanted, atol=1e-6)


def test_it_can_be_cut(own):
    backbone = build(own(_plain()), None)
    full = assemble(backbone, layers.GlobalMaxPooling2D())
    prefix, suffix = cut(full, boundary(backbone.blocks, 1))
    assert prefix.output.shape == (None, 15, 15, 4)
    np.testing.assert_allclose(suffix(prefix(PHOTOS)), full(PHOTOS), atol=1e-6)


def test_other_size_than_it_was_saved_at(own):
    backbone = build(own(_plain(64)), 32)
    assert backbone.model.output.shape == (None, 13, 13, 8)


def test_frozen_layers_of_the_file_can_learn_again(own):
    model = _plain()
    model.trainable = False
    assert build(own(model), None).model.trainable_variables


def test_random_start_leaves_the_saved_weights(own):
    spec = own(_plain())
    saved, random = build(spec, None), build(spec, None, pretrained=False)
    pairs = zip(saved.model.weights, random.model.weights, strict=True)
    assert any(np.abs(np.asarray(one) - np.asarray(other)).max() > 0 for one, other in pairs)


def test_own_weights_on_top_of_the_file(own, tmp_path):
    spec, other = own(_plain()), _plain()
    other.save_weights(tmp_path / "other.weights.h5")
    backbone = build(
        BackboneChoice(name=spec.name, weights=str(tmp_path / "other.weights.h5")), None
    )
    np.testing.assert_array_equal(
        backbone.model.get_layer("first").kernel, other.get_layer("first").kernel
    )


def test_random_weights_leave_the_saved_ones(own):
    spec = own(_plain())
    random = BackboneChoice(name=spec.name, weights="random")
    saved, fresh = build(spec, None).model, build(random, None).model
    assert np.abs(saved.get_layer("first").kernel - fresh.get_layer("first").kernel).max() > 0


def _nested():
    """Two models of one layer name each, in a classifier."""
    inner = keras.Sequential([keras.Input((32, 32, 3)), layers.Conv2D(2, 3, name="first")])
    images = keras.Input((32, 32, 3))
    x = inner(layers.Conv2D(3, 1, name="first")(images))
    return keras.Model(images, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))


@pytest.mark.parametrize("make", [_plain, _nested])
def test_weights_of_the_network_without_its_classifier(own, tmp_path, make):
    """What a pretraining of a user's own network writes."""
    spec, path = own(make()), tmp_path / "pretrained.weights.h5"
    pretrained = build(BackboneChoice(name=spec.name, weights="random"), 32).model
    pretrained.save_weights(path)
    loaded = build(BackboneChoice(name=spec.name, weights=str(path)), 48).model
    for one, other in zip(pretrained.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_weights_of_another_network(own, tmp_path):
    spec, path = own(_plain()), tmp_path / "other.weights.h5"
    _nested().save_weights(path)
    with pytest.raises(WeightsError, match="does not fit"):
        build(BackboneChoice(name=spec.name, weights=str(path)), None)


def test_width_is_only_for_the_table(own):
    with pytest.raises(UsageError, match="leave `alpha` out"):
        build(BackboneChoice(name=own(_plain()).name, alpha=0.5), None)


def test_network_nested_in_a_classifier_is_laid_flat(own):
    """What the transfer learning guides build: base(x, training=False), pooling, Dense."""
    base = keras.applications.MobileNet(
        alpha=0.25, include_top=False, weights=None, input_shape=(32, 32, 3)
    )
    images = keras.Input((32, 32, 3))
    pixels = layers.Rescaling(1 / 127.5, offset=-1)(images)
    pooled = layers.GlobalAveragePooling2D()(base(pixels, training=False))
    model = keras.Model(images, layers.Dense(2)(pooled))
    backbone = build(own(model), None)
    assert backbone.blocks[-5] == "conv_pw_9_relu"
    wanted = base(PHOTOS.astype("float32") / 127.5 - 1)
    full = assemble(backbone, lambda x: x)
    np.testing.assert_allclose(full(PHOTOS), wanted, atol=1e-5)
    prefix, suffix = cut(full, "conv_pw_9_relu")
    np.testing.assert_allclose(suffix(prefix(PHOTOS)), wanted, atol=1e-5)


def test_names_repeated_in_nested_models(own):
    inner = keras.Sequential([keras.Input((32, 32, 3)), layers.Conv2D(2, 3, name="same")])
    images = keras.Input((32, 32, 3))
    x = layers.Conv2D(3, 1, name="same")(images)
    backbone = build(own(keras.Model(images, inner(x))), None)
    assert backbone.model.output.shape == (None, 30, 30, 2)
    assert len(backbone.blocks) == 2


def test_sequential_model(own):
    model = keras.Sequential(
        [keras.Input((32, 32, 3)), layers.Conv2D(5, 3, name="only"), layers.Flatten()]
    )
    assert build(own(model), None).blocks == ("only",)


def test_pooled_features_become_a_map_of_one_pixel(own):
    images = keras.Input((32, 32, 3))
    flat = layers.Flatten()(layers.AveragePooling2D(8)(images))
    hidden = layers.Dense(6, name="hidden")(layers.Concatenate()([flat, layers.ReLU()(flat)]))
    backbone = build(own(keras.Model(images, layers.Dense(2)(hidden))), None)
    assert backbone.model.output.shape == (None, 1, 1, 6)
    assert backbone.blocks[-1] == "as_feature_map"


@pytest.mark.parametrize(
    "model",
    [
        lambda: keras.Sequential([keras.Input((32, 32, 1)), layers.Conv2D(2, 3)]),
        lambda: keras.Sequential([keras.Input((9,)), layers.Dense(2)]),
    ],
)
def test_no_network_over_photos(own, model):
    with pytest.raises(UsageError, match="not a network over RGB"):
        build(own(model()), None)


def test_size_that_the_network_cannot_take(own):
    model = keras.Sequential(
        [keras.Input((32, 32, 3)), layers.Conv2D(2, 3), layers.Conv2D(2, 9), layers.Conv2D(2, 9)]
    )
    with pytest.raises(UsageError, match="cannot take photos of this size"):
        build(own(model), 16)


def test_missing_and_damaged_file(tmp_path):
    path = tmp_path / "own.keras"
    with pytest.raises(WeightsError, match="no such model file"):
        build(BackboneChoice(name=str(path)), None)
    path.write_bytes(b"not a model")
    with pytest.raises(WeightsError, match="cannot be read"):
        build(BackboneChoice(name=str(path)), None)


def test_kerashub_is_asked_for_when_absent(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(SetupError, match="pip install keras-hub"):
        build(BackboneChoice(name="kerashub:resnet_18_imagenet"), None)


def test_what_keras_has_counted_is_named_by_its_place():
    def names():
        images = keras.Input((8, 8, 3))
        x = layers.ReLU()(layers.Conv2D(2, 3)(images))
        x = layers.Add()([x, layers.Conv2D(2, 1, name="side")(x)])
        model = keras.Model(images, layers.ReLU()(x))
        name_by_place(model)
        return [operation.name for operation in model.operations]

    first = names()
    assert first == names()
    assert len(set(first)) == len(first)
    assert "side" in first


def test_kerashub_preset(tmp_path):
    hub = pytest.importorskip("keras_hub", reason="KerasHub is not installed")
    made = hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 128],
        stackwise_num_blocks=[1, 1],
        stackwise_num_strides=[1, 2],
        block_type="basic_block",
        image_shape=(32, 32, 3),
    )
    made.save_to_preset(str(tmp_path))
    hub.layers.ImageConverter(scale=1 / 255, offset=[-0.5, -0.4, -0.3]).save_to_preset(
        str(tmp_path)
    )
    backbone = build(BackboneChoice(name=f"kerashub:{tmp_path}"), 32)
    wanted = made(PHOTOS / np.float32(255) - np.array([0.5, 0.4, 0.3], "float32"))
    np.testing.assert_allclose(assemble(backbone, lambda x: x)(PHOTOS), wanted, atol=1e-4)
