"""The network whose weights come with the package: what they fit must not change."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tlsearch.backbones.resnet10 import resnet10


def _set_by_formula(model):
    """Weights that follow from their shapes alone, at a scale that keeps signals alive."""
    values = []
    for weight in model.weights:
        waves = np.sin(np.arange(np.prod(weight.shape)) * 0.7 + 0.3).reshape(weight.shape)
        kernel = weight.ndim > 1
        values.append(waves * np.sqrt(4 / np.prod(weight.shape[:-1])) if kernel else 1 + waves / 4)
    model.set_weights(values)


def test_what_it_computes():
    """Recorded when its weights were trained."""
    model = resnet10((64, 64, 3))
    _set_by_formula(model)
    steps = np.linspace(-1, 1, 64 * 64 * 3, dtype="float32").reshape(1, 64, 64, 3)
    features = np.asarray(model(np.cos(9 * steps)))
    assert features.shape == (1, 2, 2, 512)
    assert features.mean() == pytest.approx(0.053682, rel=1e-3)
    assert features.std() == pytest.approx(0.064192, rel=1e-3)
    assert features[0, 1, 0, -3:] == pytest.approx([0.148896, 0.159128, 0.094695], rel=1e-3)


@pytest.mark.parametrize(("size", "side"), [(32, 1), (50, 2), (64, 2), (96, 3), (224, 7)])
def test_shapes(size, side):
    assert resnet10((size, size, 3)).output.shape == (None, side, side, 512)


def test_names_of_layers_with_weights():
    """A weights file finds its layers by these names."""
    names = [layer.name for layer in resnet10((32, 32, 3)).layers if layer.weights]
    stages = [f"stage{s}_{part}" for s in range(1, 5) for part in ("1", "2", "shortcut")]
    parts = ["stem", *stages, "features"]
    assert sorted(names) == sorted(f"{part}_{kind}" for part in parts for kind in ("conv", "norm"))


def test_it_starts_from_random_weights_without_a_classifier():
    one, other = resnet10((32, 32, 3)), resnet10((32, 32, 3))
    assert np.abs(one.get_weights()[0] - other.get_weights()[0]).max() > 0
    for wrong in ({"include_top": True}, {"weights": "imagenet"}):
        with pytest.raises(ValueError, match="no classifier and loads no weights"):
            resnet10((32, 32, 3), **wrong)


def test_it_is_a_plain_graph_that_can_be_saved(tmp_path):
    model = resnet10((32, 32, 3))
    model.save(tmp_path / "own.keras")
    photos = np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3)).astype("float32")
    again = keras.saving.load_model(tmp_path / "own.keras")
    np.testing.assert_array_equal(model(photos), again(photos))
