"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real photos and ImageNet weights that stands beside the checkout."""
    beside = Path(__file__).parents[1].parent / "shared"
    folder = Path(os.environ.get("TLSEARCH_SHARED", beside))
    if not folder.is_dir():
        pytest.skip(f"no real photos and weights: {folder} is absent (set TLSEARCH_SHARED)")
    return folder


@pytest.fixture(scope="session")
def flower_photos(shared: Path) -> Path:
    """The TensorFlow Flowers photos, a folder per class."""
    return shared / "data" / "flower_photos"
