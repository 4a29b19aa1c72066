"""The network that is pretrained: its outputs, its losses and how its optimizer goes about it."""

from __future__ import annotations

import numpy as np
import pytest

from tlsearch.config.pretraining import Pretraining
from tlsearch.pretraining.contrast import NTXent
from tlsearch.pretraining.network import build_pupil, feature_model

SIZE, STEPS = 32, 100


def pupil(method="supervised", factors=(4, 9, 9)):
    recipe = {
        "version": 1,
        "name": "tiny",
        "backbone": {"name": "ResNet10", "weights": "random"},
        "image_size": SIZE,
        "method": method,
        "data": {"source": "generated:patterns" if method == "supervised" else "photos"},
        "train": {"learning_rate": 2e-3},
    }
    return build_pupil(Pretraining.model_validate(recipe), factors, STEPS)


@pytest.fixture(scope="module")
def supervised():
    return pupil()


def names(layers):
    return {layer.name for layer in layers}


def test_an_output_for_each_factor(supervised):
    assert supervised.model.output_shape == [(None, 4), (None, 9), (None, 9)]
    assert supervised.model.input_shape == (None, SIZE, SIZE, 3)


def test_one_factor_is_one_output():
    assert pupil(factors=(5,)).model.output_shape == (None, 5)


def test_contrast_has_one_projection():
    contrasting = pupil("simclr")
    assert contrasting.model.output_shape == (None, 64)
    assert isinstance(contrasting.model.loss, NTXent)


def test_what_learns_is_in_the_backbone_too(supervised):
    inner = {id(variable) for variable in supervised.backbone.model.trainable_variables}
    outer = {id(variable) for variable in supervised.model.trainable_variables}
    assert inner < outer


def test_features_are_the_pooled_feature_map(supervised):
    pictures = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)
    features = np.asarray(feature_model(supervised.backbone)(pictures))
    prepared = supervised.backbone.preprocess(pictures.astype(np.float32))
    maps = np.asarray(supervised.backbone.model(prepared))
    assert features.shape == (3, supervised.backbone.model.output_shape[-1])
    np.testing.assert_allclose(features, maps.mean(axis=(1, 2)), rtol=1e-4, atol=1e-5)


def test_the_learning_rate_rises_for_a_twentieth_and_then_falls(supervised):
    schedule = supervised.model.optimizer._learning_rate
    rates = np.array([float(schedule(step)) for step in range(STEPS + 1)])
    assert rates[0] == pytest.approx(2e-5)
    assert rates.argmax() == 5
    assert rates[5] == pytest.approx(2e-3)
    assert (np.diff(rates[5:]) < 0).all()
    assert rates[-1] == pytest.approx(0, abs=1e-9)


def test_only_kernels_decay(supervised):
    optimizer = supervised.model.optimizer
    for variable in supervised.model.trainable_variables:
        assert optimizer._use_weight_decay(variable) == (len(variable.shape) > 1), variable.path
