"""A small network, drawn photos and what a fit needs of them."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_sweeps import save_backbone

from tlsearch.config.configuration import Configuration
from tlsearch.config.schema import BackboneChoice, Train
from tlsearch.training.activations import Photos
from tlsearch.training.inputs import TrialData

SIZE, CLASSES = 32, 3
SHARES = {"train": 36, "validation": 12, "test": 9}


@pytest.fixture(scope="session")
def tiny_backbone(tmp_path_factory) -> BackboneChoice:
    return BackboneChoice(name=str(save_backbone(tmp_path_factory.mktemp("own") / "tiny.keras")))


@pytest.fixture(scope="session")
def configure(tiny_backbone):
    """Makes a configuration of the small network; without dropout unless it is asked for."""

    def make(**values) -> Configuration:
        plain = {"backbone": tiny_backbone, "image_size": SIZE, "dropout": 0.0}
        return Configuration(**{**plain, **values})

    return make


@pytest.fixture(scope="session")
def data() -> TrialData:
    """Photos of noise around the colour of their class."""
    random = np.random.default_rng(0)
    total = sum(SHARES.values())
    labels = np.arange(total) % CLASSES
    pixels = random.integers(0, 120, (total, SIZE, SIZE, 3), dtype="uint8")
    pixels[np.arange(total), :, :, labels] += 100
    starts = np.cumsum([0, *SHARES.values()])
    rows = {
        name: np.arange(start, start + count)
        for (name, count), start in zip(SHARES.items(), starts, strict=False)
    }
    return TrialData(
        photos={name: Photos(pixels, where) for name, where in rows.items()},
        labels={name: labels[where] for name, where in rows.items()},
        digest="colours",
        views=2,
    )


@pytest.fixture(scope="session")
def train() -> Train:
    return Train(epochs=3, head_epochs=1, batch_size=8, early_stopping=None)
