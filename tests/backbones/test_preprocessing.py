"""Our preprocessing gives what each network's own `preprocess_input` gives."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tlsearch.backbones.preprocessing import preprocessing
from tlsearch.backbones.table import BACKBONES

MODULES = {
    "Xception": "xception",
    "VGG": "vgg16",
    "ResNet": "resnet",
    "ResNetV2": "resnet_v2",
    "Inception": "inception_v3",
    "MobileNet": "mobilenet",
    "MobileNetV2": "mobilenet_v2",
    "MobileNetV3": "mobilenet_v3",
    "ResNet10": "mobilenet_v2",  # Ours, by the same convention.
    "DenseNet": "densenet",
    "NASNet": "nasnet",
    "EfficientNet": "efficientnet",
    "EfficientNetV2": "efficientnet_v2",
    "ConvNeXt": "convnext",
}
PHOTOS = np.random.default_rng(0).uniform(0, 255, (2, 4, 5, 3)).astype("float32")


@pytest.mark.parametrize("row", BACKBONES.values(), ids=BACKBONES)
def test_same_as_keras(row):
    wanted = getattr(keras.applications, MODULES[row.family]).preprocess_input(PHOTOS.copy())
    given = preprocessing(row.preprocessing)(PHOTOS)
    np.testing.assert_allclose(given, wanted, atol=1e-4)


@pytest.mark.parametrize("kind", ["minus_one_to_one", "bgr_minus_mean", "mean_and_deviation"])
def test_inside_a_model_it_has_no_variables_and_stays_float32(kind):
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        images = keras.Input((4, 5, 3))
        model = keras.Model(images, preprocessing(kind)(images))
    finally:
        keras.config.set_dtype_policy(policy)
    assert model.count_params() == 0
    assert model.output.dtype == "float32"
    np.testing.assert_allclose(model(PHOTOS), preprocessing(kind)(PHOTOS), atol=1e-5)
