"""RandAugment: which operations are drawn, and that each does what its name says."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from tlsearch.augmentation.geometry import warp
from tlsearch.augmentation.randaugment import MOVES, OPERATIONS, Chosen, change, choose, move
from tlsearch.augmentation.renderer import renderer
from tlsearch.config.policy import Policy

EYE = np.eye(3)


@pytest.fixture
def picture():
    return np.random.default_rng(2).integers(60, 180, (40, 40, 3), np.uint8)


def changed(picture, name, far):
    return np.asarray(change(Image.fromarray(picture), [Chosen(name, far)])).astype(float)


def edges(picture):
    return np.abs(np.diff(picture.astype(float), axis=1)).mean()


def test_as_many_as_asked_for_and_all_of_them_alike():
    draws = np.random.default_rng(0).random((7000, 4))
    chosen = [one for draw in draws for one in choose(9, draw)]
    counts = Counter(one.name for one in chosen)
    assert len(chosen) == 14_000
    assert set(counts) == set(OPERATIONS)
    assert len(OPERATIONS) == 14
    assert max(abs(count - 1000) for count in counts.values()) < 150
    assert Counter(one.far for one in chosen).keys() == {0.9, -0.9}
    assert choose(9, draws[0, :0]) == []


def test_brightness_contrast_and_colour_are_scaled(picture):
    for sign in (1, -1):
        factor = 1 + 0.9 * sign * 0.5
        bright = changed(picture, "brightness", sign * 0.5)
        np.testing.assert_allclose(bright, np.minimum(picture * factor, 255), atol=1.5)
        contrast = changed(picture, "contrast", sign * 0.5)
        assert contrast.std() == pytest.approx(factor * picture.std(), rel=0.03)
        colour = np.ptp(changed(picture, "colour", sign * 0.5), axis=2).mean()
        assert colour == pytest.approx(factor * np.ptp(picture, axis=2).mean(), rel=0.1)


def test_sharpness_both_ways(picture):
    assert edges(changed(picture, "sharpness", 0.9)) > edges(picture) + 5
    assert edges(changed(picture, "sharpness", -0.9)) < edges(picture) - 5


@pytest.mark.parametrize(("far", "bits"), [(0, 8), (-0.5, 6), (1, 4)])
def test_posterize_keeps_the_highest_bits(picture, far, bits):
    step = 2 ** (8 - bits)
    np.testing.assert_array_equal(changed(picture, "posterize", far), picture // step * step)


@pytest.mark.parametrize("far", [0, 0.5, -0.5, 1])
def test_solarize_inverts_what_is_bright(picture, far):
    threshold = 256 * (1 - abs(far))
    expected = np.where(picture < threshold, picture, 255 - picture)
    np.testing.assert_array_equal(changed(picture, "solarize", far), expected)


def test_histograms_are_spread(picture):
    for name in ("autocontrast", "equalize"):
        made = changed(picture, name, 0.1)
        assert (made.min(), made.max()) == (0, 255)
    np.testing.assert_array_equal(changed(picture, "identity", 0.9), picture)


@pytest.mark.parametrize(
    ("name", "far", "place"),
    [
        ("translate_x", 1, (0.45, 0)),
        ("translate_y", -0.5, (0, -0.225)),
        ("shear_x", 1, (0.3 * 0.2, 0)),
        ("shear_y", -1, (0, -0.3 * 0.1)),
    ],
)
def test_moves_go_as_far_as_their_range(name, far, place):
    """Where the spot (0.1, 0.2) of the rendition comes from."""
    seen = move(EYE, [Chosen(name, far)]) @ [0.1, 0.2, 1]
    np.testing.assert_allclose(seen[:2] - [0.1, 0.2], place, atol=1e-12)


def test_it_turns_by_thirty_degrees():
    turned = move(EYE, [Chosen("rotate", 1)])
    assert np.degrees(np.arctan2(turned[0, 1], turned[0, 0])) == pytest.approx(30)


def test_moves_follow_each_other():
    """Two at once are what the second makes of the first one's rendition."""
    photo = np.zeros((64, 64, 3), np.uint8)
    photo[24:34, 30:40] = 255
    first, second = Chosen("translate_x", 0.5), Chosen("rotate", 1)
    both = np.asarray(warp(photo, move(EYE, [first, second])))
    once = np.asarray(warp(photo, move(EYE, [first])))
    twice = np.asarray(warp(once, move(EYE, [second])))
    # Sampled once instead of twice: only edges differ.
    assert np.abs(both.astype(int) - twice).mean() < 1
    other_way = np.asarray(warp(photo, move(EYE, [second, first])))
    assert np.abs(both.astype(int) - other_way).mean() > 3


@pytest.mark.parametrize("name", MOVES)
def test_moves_leave_no_border(name):
    white = np.full((32, 32, 3), 255, np.uint8)
    assert np.asarray(warp(white, move(EYE, [Chosen(name, -1)] * 3))).min() == 255


def test_a_higher_magnitude_takes_a_photo_further(picture):
    many, seeds = np.repeat(picture[None], 60, axis=0), np.arange(60, dtype=np.uint64)
    apart = [
        np.abs(
            renderer(Policy(name="x", flip=0, operations=2, magnitude=magnitude))
            .render(many, seeds)
            .astype(int)
            - many
        ).mean()
        for magnitude in (1, 9)
    ]
    assert apart[0] < 0.8 * apart[1]
