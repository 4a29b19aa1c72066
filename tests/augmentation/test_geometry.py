"""Maps move pixels where they should, by as much as they should, and leave no holes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage

from tlsearch.augmentation.geometry import DRAWS, draw_map, rotation, shear, shift, warp
from tlsearch.augmentation.renderer import renderer
from tlsearch.config.policy import Policy

SIZE = 64
STILL = Policy(name="still", flip=0)
WILD = Policy(name="wild", rotation=180, shift=0.5, shear=45, zoom=0.9, crop=0.05, aspect=4)


@pytest.fixture
def noise():
    return np.random.default_rng(4).integers(0, 256, (SIZE, SIZE, 3), np.uint8)


def square(top, left, side=8):
    photo = np.zeros((SIZE, SIZE, 3), np.uint8)
    photo[top : top + side, left : left + side] = 255
    return photo


def seen(photo, whole):
    return np.asarray(warp(photo, whole))


def maps(count=400, **values):
    policy = STILL.model_copy(update=values)
    return np.array([draw_map(policy, draw) for draw in _draws(count)])


def _draws(count):
    return np.random.default_rng(1).random((count, DRAWS))


def test_a_square_moves_by_the_share_that_was_asked_for():
    np.testing.assert_array_equal(seen(square(24, 32), shift(0.25, -0.125)), square(32, 16))


def test_a_square_moves_by_half_pixels_too():
    made = seen(square(24, 32), shift(0.5 / SIZE))
    np.testing.assert_array_equal(made[24, 30:41, 0], [0, 127, *[255] * 7, 127, 0])


@pytest.mark.parametrize(
    ("chances", "expected"),
    [
        ({"flip": 1}, np.s_[:, ::-1]),
        ({"flip": 0, "vertical_flip": 1}, np.s_[::-1]),
        ({"flip": 1, "vertical_flip": 1}, np.s_[::-1, ::-1]),
        ({"flip": 0}, np.s_[:]),
    ],
)
def test_mirroring_is_exact(noise, chances, expected):
    made = renderer(Policy(name="mirror", **chances)).render(noise[None], np.array([3], np.uint64))
    np.testing.assert_array_equal(made[0], noise[expected])


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_as_many_are_mirrored_as_was_asked_for(share):
    across = maps(flip=share)[:, 0, 0] < 0
    down = maps(vertical_flip=share)[:, 1, 1] < 0
    assert abs(across.mean() - share) < 0.08
    assert abs(down.mean() - share) < 0.08


def test_a_quarter_turn_is_exact(noise):
    np.testing.assert_array_equal(seen(noise, rotation(90)), np.rot90(noise, -1))
    np.testing.assert_array_equal(seen(noise, rotation(-180)), noise[::-1, ::-1])


def test_rotation_goes_up_to_its_limit():
    drawn = maps(rotation=30)
    angles = np.degrees(np.arctan2(drawn[:, 0, 1], drawn[:, 0, 0]))
    assert 29 < angles.max() <= 30
    assert -30 <= angles.min() < -29
    np.testing.assert_allclose(np.linalg.det(drawn), 1)


def test_a_sheared_line_leans_and_stays_where_it_is_in_the_middle():
    lean = math.tan(math.radians(20))
    line = np.zeros((SIZE, SIZE, 3), np.uint8)
    line[:, 31:33] = 255
    made = seen(line, shear(lean))[..., 0].astype(float)
    places = (made * np.arange(SIZE)).sum(axis=1) / made.sum(axis=1)
    rows = np.arange(SIZE)
    np.testing.assert_allclose(places[20:44], 31.5 - lean * (rows[20:44] - 31.5), atol=0.02)


def test_shear_goes_up_to_its_limit():
    leans = np.degrees(np.arctan(maps(shear=20)[:, 0, 1]))
    assert 19 < leans.max() <= 20
    assert -20 <= leans.min() < -19


def test_zoom_shows_more_and_less():
    scales = maps(zoom=0.25)[:, 0, 0]
    assert 1.23 < scales.max() <= 1.25
    assert 0.75 <= scales.min() < 0.77
    wide = seen(square(16, 16, 32), np.diag([2.0, 2.0, 1]))
    np.testing.assert_array_equal(wide[24:40, 24:40], 255)
    assert not wide[20:23, 20:44].any()


def test_shift_goes_up_to_its_limit():
    places = maps(shift=0.15)[:, :2, 2]
    assert (places.max(axis=0) > 0.145).all()
    assert (places.min(axis=0) < -0.145).all()
    assert np.abs(places).max() <= 0.15


@pytest.mark.parametrize("crop", [0.08, 0.5, 0.9])
def test_what_is_cut_out_lies_in_the_photo_and_is_large_enough(crop):
    drawn = maps(crop=crop)
    areas, shapes = np.linalg.det(drawn), drawn[:, 0, 0] / drawn[:, 1, 1]
    assert crop <= areas.min() < crop + 0.05
    assert 0.97 < areas.max() <= 1
    assert shapes.max() < 4 / 3 + 1e-9
    assert shapes.min() > 3 / 4 - 1e-9
    reach = np.abs(drawn[:, :2, 2]) + np.abs(drawn[:, :2, :2]).sum(axis=2) / 2
    assert reach.max() <= 0.5 + 1e-9
    assert np.abs(drawn[:, :2, 2]).max() > (1 - math.sqrt(crop)) / 4


def test_a_long_cut_is_as_long_as_it_may_be():
    drawn = maps(crop=0.1, aspect=3)
    shapes = drawn[:, 0, 0] / drawn[:, 1, 1]
    assert 2.5 < shapes.max() < 3.0001


@pytest.mark.parametrize("seed", range(6))
def test_it_is_bilinear_sampling_of_the_photo_and_its_reflection(noise, seed):
    """Held against SciPy, which calls this kind of reflection mirror."""
    whole = draw_map(WILD, np.random.default_rng(seed).random(DRAWS))
    flipped = whole[:2, :2][::-1, ::-1]
    centre = (SIZE - 1) / 2
    start = centre + whole[:2, 2][::-1] * SIZE - flipped.sum(axis=1) * centre
    expected = np.stack(
        [
            ndimage.affine_transform(
                noise[..., channel].astype(float), flipped, start, order=1, mode="mirror"
            )
            for channel in range(3)
        ],
        axis=2,
    )
    lost = expected - seen(noise, whole)
    # Pillow rounds down, and in steps of 2^-16 a place is a thousandth of a pixel off.
    assert -0.25 < lost.min() < 0.01
    assert 0.99 < lost.max() < 1.25


@pytest.mark.parametrize("size", [1, 2, 3, 16, 33])
def test_no_map_leaves_a_border(size):
    white = np.full((300, size, size, 3), 255, np.uint8)
    made = renderer(WILD).render(white, np.arange(300, dtype=np.uint64))
    assert made.min() == 255


def test_order_is_mirror_then_shear_then_turn_then_cut():
    draw = np.full(DRAWS, 0.5)
    draw[[0, 2, 3]] = 0, 1, 1
    policy = STILL.model_copy(update={"flip": 1, "rotation": 30, "shear": 20})
    expected = rotation(30) @ shear(math.tan(math.radians(20))) @ np.diag([-1, 1, 1])
    np.testing.assert_allclose(draw_map(policy, draw), expected)
