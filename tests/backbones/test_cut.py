"""Two halves are the whole, and training one half trains the whole."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tlsearch.backbones.build import build
from tlsearch.backbones.cut import assemble, boundary, cut
from tlsearch.backbones.graph import boundaries
from tlsearch.config.schema import BackboneChoice
from tlsearch.errors import UsageError


def _head(features):
    pooled = keras.layers.GlobalAveragePooling2D()(features)
    return keras.layers.Dense(3, activation="softmax")(pooled)


def _photos(size, count=4, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype="uint8")


@pytest.fixture(scope="module")
def backbone():
    return build(BackboneChoice(name="MobileNetV2", alpha=0.35), 64, pretrained=False)


@pytest.fixture
def full(backbone):
    return assemble(backbone, _head)


@pytest.mark.parametrize("unfreeze", [0, 1, 2, 5, 12, 17])
def test_suffix_of_prefix_is_the_whole(backbone, full, unfreeze):
    photos = _photos(64)
    prefix, suffix = cut(full, boundary(backbone.blocks, unfreeze))
    np.testing.assert_allclose(suffix(prefix(photos)), full(photos), atol=1e-6)
    assert {v.path for v in prefix.variables}.isdisjoint(v.path for v in suffix.variables)
    assert prefix.count_params() + suffix.count_params() == full.count_params()


def test_a_backbone_alone_can_be_cut(backbone):
    prefix, suffix = cut(backbone.model, "block_6_project_BN")
    pixels = backbone.preprocess(_photos(64).astype("float32"))
    np.testing.assert_allclose(suffix(prefix(pixels)), backbone.model(pixels), atol=1e-6)


def test_unfrozen_depth_counts_from_the_top(backbone):
    assert boundary(backbone.blocks, 0) == "out_relu"
    assert boundary(backbone.blocks, 1) == "block_16_project_BN"
    assert boundary(backbone.blocks, 4) == "block_13_project_BN"
    assert boundary(backbone.blocks, len(backbone.blocks)) is None
    assert boundary(backbone.blocks, 99) is None


def test_no_boundary_leaves_everything_to_the_suffix(full):
    assert cut(full, None) == (None, full)


@pytest.mark.parametrize("name", ["block_99_add", "block_2_expand_relu"])
def test_a_cut_that_does_not_exist(full, name):
    with pytest.raises(UsageError, match="cannot be cut"):
        cut(full, name)


def test_layers_stand_flat(full, backbone):
    assert not [layer for layer in full.layers if isinstance(layer, keras.Model)]
    assert set(backbone.blocks) <= {found.name for found in boundaries(full)}
    assert full.input.dtype == "uint8"


def test_training_the_suffix_trains_the_whole(full, backbone):
    photos = _photos(64)
    prefix, suffix = cut(full, boundary(backbone.blocks, 2))
    before, frozen = np.asarray(full(photos)), prefix.get_weights()
    suffix.compile("sgd", "sparse_categorical_crossentropy")
    suffix.fit(np.asarray(prefix(photos)), np.array([0, 1, 2, 0]), verbose=0)
    after = np.asarray(full(photos))
    assert np.abs(after - before).max() > 1e-4
    np.testing.assert_allclose(suffix(prefix(photos)), after, atol=1e-6)
    for one, other in zip(frozen, prefix.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_whole_survives_saving(full, tmp_path):
    full.save(tmp_path / "full.keras")
    loaded = keras.saving.load_model(tmp_path / "full.keras")
    np.testing.assert_allclose(loaded(_photos(64)), full(_photos(64)), atol=1e-6)


def test_float_photos(backbone):
    half_grey = np.full((1, 64, 64, 3), 127.5, "float32")
    full = assemble(backbone, lambda features: features, dtype="float32")
    wanted = backbone.model(np.zeros((1, 64, 64, 3), "float32"))
    np.testing.assert_allclose(full(half_grey), wanted, atol=1e-6)
