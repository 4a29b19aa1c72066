"""A spec says the same as the sweep file's choice."""

from __future__ import annotations

import pytest

from tlsearch.backbones.spec import BackboneSpec
from tlsearch.config.schema import BackboneChoice

CHOICES = [
    {"name": "ResNet50"},
    {"name": "MobileNetV2", "alpha": 0.35},
    {"name": "MobileNet", "alpha": 1.0, "weights": "mine.weights.h5"},
    {"name": "own.keras"},
]


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_label_is_the_one_of_the_sweep_file(choice):
    assert BackboneSpec(**choice).label == BackboneChoice(**choice).label


def test_kinds():
    assert BackboneSpec("models/own.keras").is_file
    assert not BackboneSpec("MobileNet").is_file
    assert BackboneSpec("kerashub:resnet_50_imagenet").preset == "resnet_50_imagenet"
    assert BackboneSpec("MobileNet").preset is None
