"""Colours change as far as a policy says, and grey stays grey."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tlsearch.augmentation.colour import LUMA, recolour, turn_hue
from tlsearch.config.policy import Policy

EVERYTHING = Policy(name="all", brightness=0.5, contrast=0.5, saturation=0.9, hue=0.5)


@pytest.fixture
def picture():
    """Neither very dark nor very bright, so that nothing is cut off."""
    return np.random.default_rng(2).integers(90, 150, (40, 40, 3), np.uint8)


def changed(picture, draw, **values):
    policy = Policy(name="one", **values)
    made = recolour(Image.fromarray(picture), policy, np.array(draw, float))
    return np.asarray(made).astype(float)


def test_brightness(picture):
    for at, factor in ((1, 1.4), (0, 0.6), (0.5, 1)):
        made = changed(picture, [at, 0.3, 0.3, 0.3], brightness=0.4)
        np.testing.assert_allclose(made, picture * factor, atol=0.8)


def test_contrast_keeps_the_mean(picture):
    for at, factor in ((1, 1.5), (0, 0.5)):
        made = changed(picture, [0.3, at, 0.3, 0.3], contrast=0.5)
        assert made.mean() == pytest.approx(picture.mean(), abs=0.3)
        assert made.std() == pytest.approx(factor * picture.std(), rel=0.01)


def test_saturation_keeps_the_grey(picture):
    for at, factor in ((1, 1.5), (0, 0.5)):
        made = changed(picture, [0.3, 0.3, at, 0.3], saturation=0.5)
        np.testing.assert_allclose(made @ LUMA, picture @ LUMA, atol=1.2)
        assert np.ptp(made, axis=2).mean() == pytest.approx(
            factor * np.ptp(picture, axis=2).mean(), rel=0.03
        )


def test_a_third_of_a_turn_swaps_the_channels(picture):
    made = changed(picture, [0.3, 0.3, 0.3, 1], hue=1 / 3)
    np.testing.assert_array_equal(made, np.roll(picture, 1, axis=2))
    np.testing.assert_allclose(turn_hue(1), np.eye(3), atol=1e-12)


def test_grey_stays_grey():
    grey = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    for draw in np.random.default_rng(0).random((100, 4)):
        made = np.asarray(recolour(Image.fromarray(grey), EVERYTHING, draw)).astype(int)
        assert np.ptp(made, axis=2).max() == 0


def test_what_is_too_bright_or_too_dark_is_cut_off():
    picture = np.array([[[0, 128, 255]]], np.uint8)
    np.testing.assert_array_equal(
        changed(picture, [1, 0, 0, 0], brightness=0.95), [[[0, 250, 255]]]
    )


def test_no_range_changes_nothing(picture):
    np.testing.assert_array_equal(changed(picture, [1, 0, 1, 0]), picture)
