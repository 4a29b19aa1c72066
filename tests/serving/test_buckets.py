from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tiny_bundle import SIZE

from serving import Bundle, Engine
from serving.buckets import Buckets
from serving.session import open_session


@pytest.fixture
def bundle(bundle_folder):
    return Bundle.open(bundle_folder)


@pytest.fixture
def buckets(bundle) -> Buckets:
    return Buckets(open_session(bundle.model(), None, 1), "cpu", largest=6)


def photos(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 9, 20])
def test_padding_shows_nowhere(bundle, buckets, count):
    images = photos(count)
    given = buckets.run(images)
    assert given.dtype == np.float32
    np.testing.assert_allclose(given, Engine(bundle).predict(images), atol=1e-6)


def test_the_largest_is_a_power_of_two(buckets):
    assert buckets.largest == 8


def test_an_answer_stays_as_it_was(buckets):
    first = buckets.run(photos(2))
    kept = first.copy()
    buckets.run(photos(2)[::-1])
    np.testing.assert_array_equal(first, kept)


def test_several_threads(bundle, buckets):
    batches = [photos(count) for count in (1, 2, 3, 4, 5) * 8]
    engine = Engine(bundle)
    with ThreadPoolExecutor(4) as pool:
        for images, given in zip(batches, pool.map(buckets.run, batches), strict=True):
            np.testing.assert_allclose(given, engine.predict(images), atol=1e-6)
