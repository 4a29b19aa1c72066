"""The networks of the table, as Keras really builds them."""

from __future__ import annotations

import gc

import keras
import numpy as np
import pytest

from tlsearch.backbones.build import build, lower_momentum
from tlsearch.backbones.cut import assemble, boundary, cut
from tlsearch.backbones.graph import boundaries
from tlsearch.backbones.table import BACKBONES
from tlsearch.config.schema import BackboneChoice
from tlsearch.errors import UsageError


@pytest.fixture(autouse=True)
def _free():
    yield
    gc.collect()


def _assert_as_the_table_says(row, backbone):
    assert backbone.model.count_params() == row.parameters
    assert backbone.model.input.shape[1:] == (row.image_size, row.image_size, 3)
    assert len(backbone.model.output.shape) == 4


def _assert_blocks_are_boundaries(backbone):
    found = [boundary.name for boundary in boundaries(backbone.model)]
    assert [name for name in found if name in backbone.blocks] == list(backbone.blocks)
    assert found[-1] == backbone.blocks[-1]


def _assert_cuts_are_sound(backbone):
    """At a few depths, relative to the largest value: random weights give any scale."""
    photos = np.random.default_rng(0).integers(
        0, 256, (2, backbone.image_size, backbone.image_size, 3), dtype="uint8"
    )
    full = assemble(backbone, keras.layers.GlobalAveragePooling2D())
    wanted = np.asarray(full(photos))
    scale = np.abs(wanted).max()
    assert 0 < scale < np.inf
    deepest = len(backbone.blocks) - 1
    for unfreeze in {0, min(1, deepest), deepest // 2, deepest}:
        prefix, suffix = cut(full, boundary(backbone.blocks, unfreeze))
        given = np.asarray(suffix(prefix(photos)))
        assert np.abs(given - wanted).max() <= 1e-5 * scale


FAST = [
    ("ResNet10", None),
    ("MobileNet", 0.25),
    ("MobileNetV2", 0.35),
    ("EfficientNetB0", None),
    ("VGG16", None),
]


@pytest.mark.parametrize(("name", "alpha"), FAST)
def test_small_networks(name, alpha):
    row = BACKBONES[name]
    backbone = build(BackboneChoice(name=name, alpha=alpha), row.smallest, pretrained=False)
    _assert_blocks_are_boundaries(backbone)
    _assert_cuts_are_sound(backbone)


@pytest.mark.parametrize("name", ["ResNet10", "MobileNet", "MobileNetV2", "VGG16"])
def test_published_parameters_of_small_networks(name):
    row = BACKBONES[name]
    _assert_as_the_table_says(row, build(BackboneChoice(name=name), None, pretrained=False))


@pytest.mark.slow
@pytest.mark.parametrize("name", BACKBONES)
def test_every_row(name):
    row = BACKBONES[name]
    backbone = build(BackboneChoice(name=name), None, pretrained=False)
    _assert_as_the_table_says(row, backbone)
    _assert_blocks_are_boundaries(backbone)
    _assert_cuts_are_sound(build(BackboneChoice(name=name), row.smallest, pretrained=False))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "alpha"), [(name, a) for name, row in BACKBONES.items() for a in row.alphas]
)
def test_every_width(name, alpha):
    _assert_blocks_are_boundaries(
        build(BackboneChoice(name=name, alpha=alpha), 64, pretrained=False)
    )


@pytest.mark.parametrize("name", ["MobileNetV3Small"])
def test_names_do_not_depend_on_what_was_built_before(name):
    """Keras counts its unnamed layers through the life of a process."""
    first = build(BackboneChoice(name=name), 64, pretrained=False)
    second = build(BackboneChoice(name=name), 64, pretrained=False)
    assert first.blocks == second.blocks
    _assert_blocks_are_boundaries(second)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Xception", "ConvNeXtTiny", "InceptionResNetV2", "NASNetMobile"])
def test_unnamed_ends_of_blocks_are_found_again(name):
    build(BackboneChoice(name=name), 96, pretrained=False)
    _assert_blocks_are_boundaries(build(BackboneChoice(name=name), 96, pretrained=False))


def test_too_small_photos():
    with pytest.raises(UsageError, match="too small"):
        build(BackboneChoice(name="Xception"), 64, pretrained=False)


def test_unknown_network():
    with pytest.raises(UsageError, match="did you mean"):
        build(BackboneChoice(name="MobilNetV2"), 64)


def test_graph_is_the_same_with_and_without_weights(shared, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(shared / "keras"))
    with_weights = build(BackboneChoice(name="MobileNetV2"), 96)
    without = build(BackboneChoice(name="MobileNetV2"), 96, pretrained=False)
    without.model.set_weights(with_weights.model.get_weights())
    photos = np.random.default_rng(0).uniform(-1, 1, (1, 96, 96, 3)).astype("float32")
    np.testing.assert_allclose(without.model(photos), with_weights.model(photos), atol=1e-5)


def test_lower_momentum_lets_statistics_arrive():
    model = build(BackboneChoice(name="MobileNetV2", alpha=0.35), 32, pretrained=False).model
    layer = model.get_layer("bn_Conv1")
    assert layer.momentum == 0.999
    lower_momentum(model)
    assert layer.momentum == 0.9
    lower_momentum(model, 0.95)
    assert layer.momentum == 0.9
    stem = keras.Model(model.input, layer.output)
    photos = np.random.default_rng(0).uniform(-1, 1, (8, 32, 32, 3)).astype("float32")
    for _ in range(100):
        stem(photos, training=True)
    convolved = keras.Model(model.input, model.get_layer("Conv1").output)(photos)
    spread = np.asarray(convolved).var(axis=(0, 1, 2))
    np.testing.assert_allclose(layer.moving_variance, spread, rtol=0.01)


def test_real_weights_tell_flowers_apart(shared, flower_photos, monkeypatch):
    """Nearest class mean on pooled features: far above chance with ImageNet weights."""
    monkeypatch.setenv("KERAS_HOME", str(shared / "keras"))
    photos, labels = _flowers(flower_photos, size=128, each=30)
    trained = _accuracy(build(BackboneChoice(name="MobileNetV2"), 128), photos, labels)
    random = _accuracy(
        build(BackboneChoice(name="MobileNetV2"), 128, pretrained=False), photos, labels
    )
    assert trained > 0.6
    assert trained > random + 0.2


def test_size_without_published_weights_takes_those_of_224(shared, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(shared / "keras"))
    odd, usual = (build(BackboneChoice(name="MobileNetV2"), size).model for size in (100, 224))
    for one, other in zip(odd.weights, usual.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def _flowers(folder, size, each):
    classes = sorted(path for path in folder.iterdir() if path.is_dir())
    files = [(path, label) for label, kind in enumerate(classes) for path in _first(kind, each)]
    photos = [keras.utils.load_img(path, target_size=(size, size)) for path, _ in files]
    return np.stack([np.asarray(photo) for photo in photos]), np.array([n for _, n in files])


def _first(folder, count):
    return sorted(folder.glob("*.jpg"))[:count]


def _accuracy(backbone, photos, labels):
    pooled = assemble(backbone, keras.layers.GlobalAveragePooling2D())
    features = np.concatenate([np.asarray(pooled(part)) for part in np.array_split(photos, 4)])
    learn = np.arange(len(labels)) % 2 == 0
    features -= features[learn].mean(0)
    means = np.stack([features[learn & (labels == n)].mean(0) for n in np.unique(labels)])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    guesses = (features[~learn] @ means.T).argmax(1)
    return (guesses == labels[~learn]).mean()
