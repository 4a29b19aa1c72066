"""What a probe says of photos that it was not fitted to."""

from __future__ import annotations

import numpy as np
import pytest

from tlsearch.training import probe


def _blobs(count, distance, classes=3, width=8):
    draw = np.random.default_rng(0)
    labels = np.arange(count) % classes
    features = draw.normal(size=(count, width)).astype("float32")
    features[np.arange(count), labels] += distance
    return features, labels


def answer_unseen(features, labels):
    return probe.answer_unseen(features, labels, folds=5)


def test_what_can_be_told_apart_is():
    assert answer_unseen(*_blobs(90, 8.0)).mean() > 0.95


def test_more_can_be_told_apart_where_classes_lie_further_apart():
    shares = [answer_unseen(*_blobs(150, distance)).mean() for distance in (0.5, 2.0, 8.0)]
    assert shares == sorted(set(shares))


def test_no_probe_answers_for_a_photo_that_it_has_seen():
    """Labels that follow from nothing: a probe that had seen them would know them by heart."""
    draw = np.random.default_rng(1)
    features = draw.normal(size=(120, 400)).astype("float32")
    labels = draw.permutation(np.arange(120) % 2)
    assert answer_unseen(features, labels).mean() == pytest.approx(0.5, abs=0.15)


def test_classes_may_be_missing_among_the_labels():
    features, labels = _blobs(60, 8.0)
    right = answer_unseen(features, np.array([2, 5, 9])[labels])
    assert np.array_equal(right, answer_unseen(features, labels))


def test_the_same_photos_give_the_same_answers():
    features, labels = _blobs(80, 1.0)
    assert np.array_equal(answer_unseen(features, labels), answer_unseen(features, labels))


def test_two_classes_are_told_apart_too():
    features, labels = _blobs(80, 8.0, classes=2)
    assert answer_unseen(features, labels).mean() > 0.95
