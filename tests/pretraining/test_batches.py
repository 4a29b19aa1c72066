"""What a batch holds: a matter of seed, epoch and place alone."""

from __future__ import annotations

import numpy as np
import pytest

from tlsearch.config.pretraining import Pretraining
from tlsearch.pretraining.batches import PretrainingBatches
from tlsearch.pretraining.pictures import Pictures

COUNT, SIZE = 22, 16
FACTORS = (4, 9, 9)
ORDER = [[12, 7, 16, 3], [21, 6, 9, 1], [18, 11, 17, 20], [2, 4, 19, 15], [10, 13, 0, 5]]
PLACES = [(13, 15), (2, 0), (13, 0), (15, 2), (13, 0)]
"""What each batch of a first epoch shows, and where `Marked` has its mark then."""


class Numbered(Pictures):
    """Picture i of epoch e shows both numbers in its upper left corner, its labels tell i."""

    def __init__(self, factors=FACTORS):
        self.started = []
        self._factors = factors

    @property
    def count(self):
        return COUNT

    @property
    def factors(self):
        return self._factors

    @property
    def labels(self):
        return np.arange(COUNT)[:, None] * 10 + np.arange(len(self._factors))

    def start(self, epoch):
        self.started.append(epoch)

    def take(self, rows):
        pictures = np.zeros((len(rows), SIZE, SIZE, 3), np.uint8)
        pictures[:, 0, 0] = np.stack(
            [rows + 1, rows * 0 + self.started[-1], rows * 0 + 255], axis=1
        )
        return pictures

    def close(self):
        pass


class Marked(Numbered):
    """Pictures with one bright pixel in the upper row, off the middle and off the corner."""

    def take(self, rows):
        pictures = np.zeros((len(rows), SIZE, SIZE, 3), np.uint8)
        pictures[:, 0, 2] = 255
        return pictures


def recipe(method="supervised", source="generated:patterns", *, seed=5, batch_size=4, passes=3):
    return Pretraining.model_validate(
        {
            "version": 1,
            "name": "tiny",
            "backbone": {"name": "ResNet10", "weights": "random"},
            "image_size": SIZE,
            "method": method,
            "data": {"source": source, "patterns": {"passes": passes}},
            "views": {"crop": 1, "colour": 0, "hue": 0, "grey": 0, "blur": 0},
            "train": {"batch_size": batch_size},
            "seed": seed,
        }
    )


def batches(*arguments, first_epoch=0, pictures=None, **options):
    pictures = pictures or Numbered()
    return PretrainingBatches(
        recipe(*arguments, **options), pictures, SIZE, first_epoch=first_epoch
    )


def epoch(one):
    """The inputs of an epoch and its first labels."""
    drawn = [one[index] for index in range(one.num_batches)]
    return np.stack([inputs for inputs, _ in drawn]), [labels for _, labels in drawn]


def shown(inputs):
    """The number of each picture, wherever its corner has been turned to."""
    return inputs[..., 0].reshape(*inputs.shape[:2], -1).max(axis=-1).astype(int) - 1


def mark(picture):
    """Row and column of the bright pixel."""
    return divmod(int(picture[..., 0].argmax()), SIZE)


def test_the_same_seed_shows_the_same_batches():
    first, again = epoch(batches()), epoch(batches())
    assert np.array_equal(first[0], again[0])
    assert not np.array_equal(first[0], epoch(batches(seed=6))[0])


def test_an_interrupted_training_sees_what_an_undisturbed_one_sees():
    through = batches()
    epoch(through)
    through.on_epoch_end()
    through.on_epoch_end()
    later = batches(first_epoch=2)
    assert np.array_equal(epoch(through)[0], epoch(later)[0])
    assert not np.array_equal(shown(epoch(through)[0]), shown(epoch(batches())[0]))


def test_a_batch_does_not_depend_on_those_before_it():
    one, other = batches(), batches()
    whole, _ = epoch(one)
    assert np.array_equal(other[7][0], whole[7])
    assert np.array_equal(other[2][0], whole[2])


def test_epochs_are_started_in_turn():
    pictures = Numbered()
    one = batches(pictures=pictures, first_epoch=3)
    one.on_epoch_end()
    assert pictures.started == [3, 4]


def test_each_pass_shows_each_picture_at_most_once():
    """22 pictures make five batches of four: two are left out, other ones in each pass."""
    one = batches()
    assert (one.num_batches, one.pictures_per_epoch) == (15, 60)
    passes = shown(epoch(one)[0]).reshape(3, 20)
    assert all(len(set(numbers)) == 20 for numbers in passes.tolist())
    assert set(passes.ravel()) == set(range(COUNT))
    assert len({tuple(numbers) for numbers in passes.tolist()}) == 3


def test_order_and_positions_are_those_that_the_built_in_weights_were_made_by():
    order = shown(epoch(batches(passes=1))[0]).tolist()
    assert order == ORDER
    places = [mark(batch[0]) for batch in epoch(batches(pictures=Marked(), passes=1))[0]]
    assert places == PLACES


def test_photos_are_gone_through_once():
    assert batches(source="photos").num_batches == 5


def test_a_batch_is_no_larger_than_what_there_is():
    one = batches(batch_size=100)
    assert (one.num_batches, one.pictures_per_epoch) == (3, 66)
    assert one[0][0].shape == (COUNT, SIZE, SIZE, 3)


def test_labels_come_with_their_pictures_an_array_for_each_factor():
    inputs, labels = epoch(batches())
    for numbers, columns in zip(shown(inputs), labels, strict=True):
        assert isinstance(columns, tuple)
        for factor, column in enumerate(columns):
            assert column.tolist() == (numbers * 10 + factor).tolist()


def test_labels_of_one_factor_are_an_array():
    one = batches(source="photos", pictures=Numbered(factors=(3,)))
    inputs, labels = one[1]
    assert labels.tolist() == (shown(inputs[None])[0] * 10).tolist()


def test_all_eight_positions_are_taken_and_by_whole_batches():
    inputs, _ = epoch(batches(pictures=Marked(), passes=40))
    places = [{mark(picture) for picture in batch} for batch in inputs]
    assert all(len(place) == 1 for place in places)
    last = SIZE - 1
    corners = {(0, 2), (2, 0), (0, last - 2), (last - 2, 0)}
    corners |= {(last, 2), (2, last), (last, last - 2), (last - 2, last)}
    assert {place for batch in places for place in batch} == corners


def test_photos_of_classes_are_rendered_once_and_unlabelled_ones_twice():
    inputs, labels = batches("supervised", "photos", pictures=Numbered(factors=(3,)))[0]
    assert inputs.shape == (4, SIZE, SIZE, 3)
    inputs, labels = batches("simclr", "photos")[0]
    assert inputs.shape == (8, SIZE, SIZE, 3)
    assert labels.tolist() == [0] * 8
    numbers = shown(inputs[None])[0]
    assert numbers[::2].tolist() == numbers[1::2].tolist()


@pytest.mark.parametrize("source", ["photos", "generated:patterns"])
def test_renditions_are_other_ones_in_each_epoch(source):
    one = batches("simclr", source)
    before = epoch(one)[0]
    one.on_epoch_end()
    assert not np.array_equal(before, epoch(one)[0])
