"""Subsamples that lie within each other and have every class."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from tlsearch.search.subsample import FEWEST, first_size, nested

COUNTS = (400, 100, 20)
LABELS = np.repeat(np.arange(len(COUNTS)), COUNTS)
CONTENTS = [hashlib.sha256(str(i).encode()).hexdigest() for i in range(sum(COUNTS))]


def test_everything_is_there_once():
    assert sorted(nested(LABELS, CONTENTS, 0)) == list(range(sum(COUNTS)))


@pytest.mark.parametrize("size", [26, 52, 130, 260])
def test_every_beginning_has_each_class_by_its_share(size):
    taken = np.bincount(LABELS[nested(LABELS, CONTENTS, 0)[:size]])
    shares = np.array(COUNTS) * size / sum(COUNTS)
    assert np.abs(taken - np.maximum(shares, FEWEST)).max() <= FEWEST
    assert taken.min() >= FEWEST


def test_it_depends_on_the_photos_and_the_seed_and_not_on_their_order():
    shuffled = np.random.default_rng(0).permutation(len(LABELS))
    found = nested(LABELS, CONTENTS, 3)
    again = nested(LABELS[shuffled], [CONTENTS[i] for i in shuffled], 3)
    assert [CONTENTS[i] for i in found] == [CONTENTS[shuffled[i]] for i in again]
    assert list(nested(LABELS, CONTENTS, 4)) != list(found)


def test_a_class_of_too_few_photos_is_left_out():
    labels = np.array([0] * 10 + [1] * (FEWEST - 1) + [2] * FEWEST)
    found = nested(labels, CONTENTS[: len(labels)], 0)
    assert set(labels[found]) == {0, 2}
    assert len(found) == 10 + FEWEST


def test_many_classes_want_more_photos():
    assert first_size(5) == 300
    assert first_size(102) == 1020
