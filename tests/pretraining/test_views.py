"""Renditions of a photo: seeded, different from each other, and true to their settings."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tlsearch.config.pretraining import Views
from tlsearch.data.patterns.task import PatternTask
from tlsearch.pretraining.views import ViewMaker

STILL = Views(crop=1, colour=0, hue=0, grey=0, blur=0)
SIZE, STORED = 32, 43


@pytest.fixture(scope="module")
def photos():
    """Five drawn pictures, as many pixels a side as photos are stored at."""
    return PatternTask(8, STORED, 3).draw_all(0, 5)[0]


def maker(**changes):
    return ViewMaker(STILL.model_copy(update=changes), SIZE)


def resized(photo):
    return np.asarray(Image.fromarray(photo).resize((SIZE, SIZE), Image.Resampling.BILINEAR))


def edges(picture):
    """How far neighbouring pixels are apart."""
    return np.abs(np.diff(picture.astype(float), axis=1)).mean()


def seeds(count):
    return np.random.SeedSequence(9).spawn(count)


@pytest.mark.parametrize("size", [24, 32, 64])
def test_one_or_two_renditions_of_each_photo(photos, size):
    views = ViewMaker(Views(), size)
    pairs, singles = views.pairs(photos, (1, 2)), views.singles(photos, (1, 2))
    assert (pairs.shape, pairs.dtype) == ((10, size, size, 3), np.uint8)
    assert (singles.shape, singles.dtype) == ((5, size, size, 3), np.uint8)


def test_the_same_seed_makes_the_same_renditions(photos):
    views = ViewMaker(Views(), SIZE)
    first = views.pairs(photos, (0, 1, 2))
    assert np.array_equal(first, views.pairs(photos, (0, 1, 2)))
    for other in ((0, 1, 3), (0, 2, 2), (1, 1, 2)):
        assert not np.array_equal(first, views.pairs(photos, other))


def test_the_two_renditions_of_a_photo_differ(photos):
    pairs = ViewMaker(Views(), SIZE).pairs(photos, (5,)).astype(float)
    apart = np.abs(pairs[::2] - pairs[1::2]).mean(axis=(1, 2, 3))
    assert apart.min() > 5


def test_rows_of_a_pair_come_from_the_same_photo(photos):
    pairs = maker().pairs(photos, (5,))
    for row, view in enumerate(pairs):
        whole = resized(photos[row // 2])
        assert np.array_equal(view, whole) or np.array_equal(view, whole[:, ::-1])


def test_without_any_change_a_photo_is_only_mirrored_now_and_then(photos):
    whole = resized(photos[0])
    views = [maker().render(photos[0], seed) for seed in seeds(60)]
    plain = sum(np.array_equal(view, whole) for view in views)
    mirrored = sum(np.array_equal(view, whole[:, ::-1]) for view in views)
    assert plain + mirrored == 60
    assert 15 < plain < 45


@pytest.mark.parametrize("crop", [0.1, 0.5, 0.9])
def test_never_less_is_cut_out_than_the_share(crop):
    """In a photo whose colours are its coordinates, the colours tell what was cut out."""
    side = 256
    ramp = np.broadcast_to(np.arange(side, dtype=np.uint8), (side, side))
    photo = np.stack([ramp, ramp.T, ramp], axis=2)
    views = [ViewMaker(maker(crop=crop).views, side).render(photo, s) for s in seeds(60)]
    spans = np.array([np.ptp(view[..., :2].reshape(-1, 2).astype(int), axis=0) for view in views])
    shares = ((spans + 1) / side).prod(axis=1)
    aspects = (spans[:, 0] + 1) / (spans[:, 1] + 1)
    assert crop - 0.02 < shares.min() < crop + 0.2 * (1 - crop)
    assert shares.max() > 1 - 0.3 * (1 - crop)
    assert aspects.max() < 4 / 3 + 0.05
    assert aspects.min() > 3 / 4 - 0.05


def test_turned_and_saturated_greys_stay_grey():
    grey = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    views = ViewMaker(Views(crop=1, colour=0.8, hue=0.5, grey=0, blur=0), 16)
    for seed in seeds(40):
        view = views.render(grey, seed).astype(int)
        assert np.ptp(view, axis=2).max() <= 1


def test_hues_turn_and_keep_the_brightness_of_their_sum():
    """A third of a turn about the grey axis swaps the channels; the sum of all three stays."""
    photo = np.full((8, 8, 3), (120, 100, 80), np.uint8)
    views = np.array([maker(hue=0.5).render(photo, seed)[0, 0] for seed in seeds(40)], int)
    assert np.abs(views.sum(axis=1) - 300).max() <= 2
    assert len(np.unique(views, axis=0)) > 10
    assert views[:, 2].max() > 110  # What was the weakest channel is now among the strongest.


@pytest.mark.parametrize("grey", [0.0, 0.5, 1.0])
def test_as_many_are_grey_as_was_asked_for(photos, grey):
    views = [maker(grey=grey).render(photos[0], seed) for seed in seeds(60)]
    count = sum(bool(np.ptp(view.astype(int), axis=2).max() == 0) for view in views)
    assert abs(count - 60 * grey) <= 15 * (grey == 0.5)


@pytest.mark.parametrize("blur", [0.0, 0.5, 1.0])
def test_as_many_are_blurred_as_was_asked_for(blur):
    noise = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
    views = ViewMaker(maker(blur=blur).views, 96)
    softer = sum(edges(views.render(noise, seed)) < edges(noise) - 1 for seed in seeds(60))
    assert abs(softer - 60 * blur) <= 15 * (blur == 0.5)


def test_brightness_varies_by_the_share_that_was_asked_for():
    photo = np.full((8, 8, 3), 100, np.uint8)
    values = [maker(colour=0.4).render(photo, seed).mean() for seed in seeds(100)]
    assert 60 <= min(values) < 70
    assert 130 < max(values) <= 140
