"""The drawn source task: endless, seeded, even, and not to be solved by colour alone."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

from tlsearch.data.patterns.palettes import PALETTES
from tlsearch.data.patterns.task import PatternTask

TASK = PatternTask(patterns=8, size=32, seed=7)
LABELLED = PatternTask(patterns=4, size=32, seed=6)
SHOWN, ASKED = 250, 150

PINNED = {
    0: ([6, 6, 7], [115.02, 70.97, 90.86, 122.48, 73.91, 96.38,
         123.0, 77.61, 97.6, 137.79, 82.72, 108.41]),
    1: ([0, 6, 1], [150.6, 60.93, 33.62, 113.1, 38.66, 43.3,
         129.68, 47.38, 29.09, 107.96, 40.75, 38.79]),
    2: ([5, 8, 8], [124.57, 98.0, 80.54, 120.32, 94.71, 78.01,
         109.95, 87.78, 72.17, 105.57, 94.14, 78.68]),
    7: ([2, 1, 2], [108.61, 72.7, 18.75, 113.73, 89.45, 17.2,
         133.98, 101.13, 20.3, 136.96, 108.88, 20.78]),
    9: ([7, 1, 3], [84.64, 109.5, 49.52, 90.7, 90.47, 34.61,
         89.62, 87.31, 34.18, 104.96, 98.19, 35.61]),
}  # fmt: skip
"""Labels and the mean colour of each quarter, by number of the picture."""


def quarters(picture):
    """Mean red, green and blue of the upper left, upper right, lower left and lower right."""
    half = len(picture) // 2
    return picture.reshape(2, half, 2, half, 3).mean(axis=(1, 3)).ravel()


@pytest.fixture(scope="module")
def drawn():
    """Pictures of four patterns and their labels."""
    return LABELLED.draw_all(0, SHOWN + ASKED)


@pytest.mark.parametrize("number", PINNED)
def test_the_pictures_are_those_that_the_built_in_weights_were_made_by(number):
    """A changed draw anywhere moves these figures by whole units.

    They are means, as sines may differ in their last bit from one processor to the next.
    """
    labels, colours = PINNED[number]
    picture, found = TASK.draw(number)
    assert found.tolist() == labels
    np.testing.assert_allclose(quarters(picture), colours, atol=0.05)


def test_a_picture_follows_from_seed_and_number_alone():
    backwards = {number: PatternTask(8, 32, 7).draw(number) for number in reversed(range(6))}
    pictures, labels = TASK.draw_all(0, 6)
    for number, (picture, label) in backwards.items():
        assert np.array_equal(picture, pictures[number])
        assert np.array_equal(label, labels[number])
    assert np.array_equal(TASK.draw_all(4, 6)[0], pictures[4:])


def test_another_process_draws_the_same():
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn) as pool:
        pictures, labels = pool.submit(TASK.draw_all, 0, 4).result()
    again, known = TASK.draw_all(0, 4)
    assert np.array_equal(pictures, again)
    assert np.array_equal(labels, known)


def test_no_two_pictures_are_alike():
    first, _ = TASK.draw_all(0, 20)
    other, _ = PatternTask(8, 32, 8).draw_all(0, 20)
    assert len({picture.tobytes() for picture in (*first, *other)}) == 40


@pytest.mark.parametrize("size", [32, 64, 96])
def test_what_a_picture_is(size):
    picture, labels = PatternTask(4, size, 1).draw(5)
    assert (picture.shape, picture.dtype) == ((size, size, 3), np.uint8)
    assert (labels.shape, labels.dtype) == ((3,), np.int64)


def test_the_size_changes_no_label():
    labels = [PatternTask(8, size, 7).draw_all(0, 20)[1] for size in (32, 48)]
    assert np.array_equal(*labels)


def test_factors_count_the_classes():
    assert TASK.factors == (8, len(PALETTES), len(PALETTES)) == (8, 9, 9)


def test_every_factor_is_even_and_independent_of_the_others():
    """Chi-square within what chance exceeds once in 10,000 times."""
    labels = PatternTask(4, 16, 7).draw_all(0, 600)[1]
    for factor, (classes, limit) in enumerate([(4, 21.1), (9, 31.8), (9, 31.8)]):
        assert chi_square(np.bincount(labels[:, factor], minlength=classes)) < limit
    pairs = labels[:, 0] * 9 + labels[:, 1]
    assert chi_square(np.bincount(pairs, minlength=36)) < 77


def chi_square(counts):
    expected = counts.sum() / len(counts)
    return ((counts - expected) ** 2 / expected).sum()


def histograms(pictures):
    """Shares of 64 colours, [n, 64]."""
    codes = (pictures // 64).reshape(len(pictures), -1, 3).astype(int) @ [16, 4, 1]
    return np.stack([np.bincount(row, minlength=64) for row in codes]) / codes.shape[1]


def spectra(pictures):
    """How strong waves of each length are, whatever their colour and direction, [n, 14]."""
    grey = pictures.mean(axis=3)
    waves = np.fft.fftfreq(grey.shape[1], 1 / grey.shape[1])
    length = np.hypot(*np.meshgrid(waves, waves)).astype(int)
    strength = np.abs(np.fft.fft2(grey))
    bands = [np.log1p(strength[:, length == k].mean(axis=1)) for k in range(1, 15)]
    return np.stack(bands, axis=1) - np.mean(bands, axis=0)[:, None]


def nearest_centroid(features, labels):
    """Accuracy on pictures that the centroids were not made from."""
    known, asked = labels[:SHOWN], labels[SHOWN:]
    centroids = [features[:SHOWN][known == k].mean(axis=0) for k in range(labels.max() + 1)]
    distances = np.linalg.norm(features[SHOWN:, None] - np.array(centroids), axis=2)
    return (distances.argmin(axis=1) == asked).mean()


def test_colours_tell_palettes_and_grounds_but_no_patterns(drawn):
    pictures, labels = drawn
    colours = histograms(pictures)
    assert nearest_centroid(colours, labels[:, 1]) > 0.28  # Chance: 1 in 9.
    assert nearest_centroid(colours, labels[:, 2]) > 0.4
    assert nearest_centroid(colours, labels[:, 0]) < 0.4  # Chance: 1 in 4.


def test_form_tells_patterns_but_no_palettes(drawn):
    pictures, labels = drawn
    forms = spectra(pictures)
    assert nearest_centroid(forms, labels[:, 0]) > 0.5
    assert nearest_centroid(forms, labels[:, 1]) < 0.22
