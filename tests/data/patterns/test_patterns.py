"""The four families of patterns, their palettes, and the scenes that show them."""

from __future__ import annotations

import numpy as np
import pytest

from tlsearch.data.patterns.fractals import Fractal
from tlsearch.data.patterns.gratings import Grating
from tlsearch.data.patterns.palettes import PALETTES, to_rgb
from tlsearch.data.patterns.scenes import draw_scene
from tlsearch.data.patterns.shapes import Shape
from tlsearch.data.patterns.task import FAMILIES
from tlsearch.data.patterns.textures import Texture

MANY = 200
FILLING = (Texture, Grating)
"""Families that cover the whole canvas; the others leave some of it free."""


def generator(*seed):
    return np.random.default_rng(seed)


def layers(family, size=32, count=MANY):
    for number in range(count):
        random = generator(3, number)
        yield family.sample(random).draw(size, random)


@pytest.mark.parametrize("family", [Fractal, Shape, Texture, Grating])
def test_every_layer_is_finite_and_within_bounds(family):
    for layer in layers(family):
        assert layer.alpha.shape == layer.shade.shape == (32, 32)
        assert layer.shade.dtype == np.float32
        assert np.issubdtype(layer.alpha.dtype, np.floating)
        for values in (layer.alpha, layer.shade):
            assert np.isfinite(values).all()
            assert 0 <= values.min() <= values.max() <= 1


@pytest.mark.parametrize("family", [Fractal, Shape, Texture, Grating])
def test_every_layer_shows_something(family):
    for layer in layers(family):
        if family in FILLING:
            assert layer.alpha.min() == 1
            assert layer.shade.std() > 0.1
        else:
            assert layer.alpha.max() > 0.5
            assert 0.01 < layer.alpha.mean() < 1


@pytest.mark.parametrize("size", [32, 64, 96])
@pytest.mark.parametrize("family", [Fractal, Shape, Texture, Grating])
def test_a_layer_has_the_size_that_was_asked_for(family, size):
    layer = next(layers(family, size))
    assert layer.alpha.shape == layer.shade.shape == (size, size)


@pytest.mark.parametrize("family", [Fractal, Shape, Texture, Grating])
def test_an_instance_follows_from_its_seed_and_differs_from_others(family):
    pattern = family.sample(generator(1))
    first, again, other = (pattern.draw(48, generator(seed)).shade for seed in (2, 2, 3))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_every_family_takes_part():
    names = [type(sample(generator(0))) for sample in FAMILIES]
    assert names == [Fractal, Shape, Texture, Grating]


def test_fractals_contract():
    """The larger singular value of each map is below 1, and no map flattens everything."""
    for number in range(MANY):
        maps = Fractal.sample(generator(number)).maps
        assert maps.shape[1:] == (2, 3)
        values = np.linalg.svd(maps[:, :, :2], compute_uv=False)
        assert values.max() < 0.95


def test_rings_of_shapes_lie_inside_each_other():
    for number in range(MANY):
        shape = Shape.sample(generator(number))
        assert shape.rings[0] == 1
        assert list(shape.rings) == sorted(shape.rings, reverse=True)
        assert len(shape.shades) == len(shape.rings) == len(set(shape.shades))


def test_a_grating_of_lines_has_its_frequency():
    """The strongest wave of the spectrum, within the 12 % that an instance may stray."""
    for frequency in (4.0, 8.0, 12.0):
        grating = Grating("line", frequency, "sine", "no", 0.0)
        shade = grating.draw(64, generator(1)).shade
        spectrum = np.abs(np.fft.fft2(shade - shade.mean()))
        row, column = np.unravel_index(spectrum.argmax(), spectrum.shape)
        along = np.hypot(*(min(place, 64 - place) for place in (row, column)))
        assert along == pytest.approx(frequency, rel=0.2)


def test_hues_wrap_and_the_rest_clips():
    colours = to_rgb(np.array([[0.0, 1.0, 1.0], [1.0, 1.0, 1.0], [0.5, -1.0, 2.0]]))
    assert colours.dtype == np.float32
    assert colours.tolist() == [[255, 0, 0], [255, 0, 0], [255, 255, 255]]
    beyond, within = to_rgb(np.array([[1.02, 1, 1], [0.02, 1, 1]]))
    np.testing.assert_allclose(beyond, within, atol=1e-3)


@pytest.mark.parametrize("name", PALETTES)
def test_the_ends_of_a_ramp_differ_clearly(name):
    for number in range(50):
        ramp = PALETTES[name].ramp(generator(number))
        assert ramp.shape == (2, 3)
        assert ramp.dtype == np.float32
        assert 0 <= ramp.min() <= ramp.max() <= 255
    spans = [np.ptp(PALETTES[name].ramp(generator(n)), axis=0).max() for n in range(50)]
    assert np.median(spans) > 40


@pytest.mark.parametrize("family", [Fractal, Shape, Texture, Grating])
def test_scenes_are_never_flat(family):
    for number in range(10):
        random = generator(4, number)
        palette, ground = PALETTES["red"], PALETTES["green"]
        scene = draw_scene(family.sample(random), palette, ground, 48, random)
        assert scene.shape == (48, 48, 3)
        assert scene.dtype == np.uint8
        assert scene.std() > 5
