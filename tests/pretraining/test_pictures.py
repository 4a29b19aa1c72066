"""The pictures of an epoch, however many processes draw them."""

from __future__ import annotations

import numpy as np
import pytest

from tlsearch.config.pretraining import Patterns
from tlsearch.data.patterns.task import PatternTask
from tlsearch.pretraining.pictures import DrawnPictures, StoredPhotos
from tlsearch.training.photos import Photos

COUNT, SIZE = 70, 16
"""More than the processes draw at once, so that an epoch is put together from portions."""


def options(processes):
    return Patterns(patterns=4, seed=3, pictures_per_epoch=COUNT, processes=processes)


@pytest.fixture(scope="module")
def epochs():
    """Epochs 0 and 1 as one process draws them: pictures and labels."""
    return _epochs(1, [0, 1])


def _epochs(processes, numbers):
    pictures = DrawnPictures(options(processes), SIZE)
    try:
        return {number: _epoch(pictures, number) for number in numbers}
    finally:
        pictures.close()


def _epoch(pictures, number):
    pictures.start(number)
    return pictures.take(np.arange(COUNT)), pictures.labels


def test_an_epoch_is_a_stretch_of_the_task(epochs):
    task = PatternTask(4, SIZE, 3)
    for number, (pictures, labels) in epochs.items():
        expected = task.draw_all(number * COUNT, (number + 1) * COUNT)
        assert np.array_equal(pictures, expected[0])
        assert np.array_equal(labels, expected[1])


def test_processes_and_order_change_nothing(epochs):
    for number, (pictures, labels) in _epochs(2, [1, 0]).items():
        assert np.array_equal(pictures, epochs[number][0])
        assert np.array_equal(labels, epochs[number][1])


def test_no_picture_is_shown_in_two_epochs(epochs):
    shown = [picture.tobytes() for pictures, _ in epochs.values() for picture in pictures]
    assert len(set(shown)) == 2 * COUNT


def test_some_of_them_in_any_order(epochs):
    pictures = DrawnPictures(options(1), SIZE)
    try:
        pictures.start(1)
        assert (pictures.count, pictures.factors) == (COUNT, (4, 9, 9))
        rows = np.array([69, 3, 3])
        assert np.array_equal(pictures.take(rows), epochs[1][0][rows])
    finally:
        pictures.close()


def test_stored_photos_are_the_same_in_each_epoch():
    pixels = np.random.default_rng(0).integers(0, 256, (6, 4, 4, 3), np.uint8)
    stored = StoredPhotos(Photos(pixels, np.array([5, 0, 2])), np.array([1, 0, 1]), 2)
    assert (stored.count, stored.factors) == (3, (2,))
    for epoch in (0, 4):
        stored.start(epoch)
        assert np.array_equal(stored.take(np.array([2, 0])), pixels[[2, 5]])
        assert stored.labels.tolist() == [[1], [0], [1]]
    stored.close()
