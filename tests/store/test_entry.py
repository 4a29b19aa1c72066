"""An entry: what is filled is read back, is computed once, and only where it is missing."""

from __future__ import annotations

import math
import threading
import time

import numpy as np
import pytest
from tiny_activations import SHAPE, contents, expected, key, shards

from tlsearch.errors import NoResultError
from tlsearch.store.store import ActivationStore


class Counting:
    """Computes, and remembers what it was asked for."""

    def __init__(self):
        self.calls = []

    def __call__(self, photos):
        self.calls.append(list(photos))
        return expected(photos)


def half(photos):
    return expected(photos).astype(np.float16)


def test_an_empty_entry(entry):
    photos = contents(3)
    assert entry.missing(photos) == photos
    assert entry.missing([]) == []
    assert (entry.shape, entry.facts) == (None, {})
    assert len(entry.rows([])) == 0
    with pytest.raises(KeyError, match=photos[0]):
        entry.rows(photos)


def test_rows_are_what_was_computed(entry):
    photos = contents(20)
    entry.fill(photos, SHAPE, expected)
    assert entry.missing(photos) == []
    assert entry.shape == SHAPE
    rows = entry.rows(photos)
    assert (len(rows), rows.shape, rows.dtype) == (20, (20, *SHAPE), np.float16)
    assert rows.nbytes == 20 * 2 * math.prod(SHAPE)
    assert np.array_equal(rows.read(), half(photos))


def test_rows_of_some_photos_in_another_order(entry):
    photos = contents(20)
    entry.fill(photos, SHAPE, expected)
    wanted = [photos[number] for number in (17, 3, 4, 5, 3, 0)]
    assert np.array_equal(entry.rows(wanted).read(), half(wanted))


@pytest.mark.parametrize("positions", [[], [0], [7, 7, 7], [3, 4, 5, 6], [19, 0, -1], range(20)])
def test_take(entry, positions):
    photos = contents(20)
    entry.fill(photos, SHAPE, expected)
    positions = np.array(positions, np.int64)
    taken = entry.rows(photos).take(positions)
    assert taken.shape == (len(positions), *SHAPE)
    assert np.array_equal(taken, half(photos)[positions])
    taken += 1  # It is the caller's.
    assert np.array_equal(entry.rows(photos).take(positions), half(photos)[positions])


def test_a_position_beyond_the_rows(entry):
    photos = contents(5)
    entry.fill(photos, SHAPE, expected)
    with pytest.raises(IndexError):
        entry.rows(photos[:3]).take(np.array([3]))


def test_one_photo_that_is_missing_is_named(entry):
    photos = contents(6)
    entry.fill(photos[:5], SHAPE, expected)
    with pytest.raises(KeyError, match=photos[5]):
        entry.rows(photos)


def test_only_what_is_missing_is_computed_shard_by_shard(entry):
    first, all_ = Counting(), Counting()
    photos = contents(14)
    entry.fill(photos[3:9], SHAPE, first)
    assert first.calls == [photos[3:7], photos[7:9]]
    entry.fill([*photos, *photos], SHAPE, all_)
    assert all_.calls == [photos[:3] + photos[9:10], photos[10:]]
    again = Counting()
    entry.fill(photos, SHAPE, again)
    assert again.calls == []
    assert np.array_equal(entry.rows(photos).read(), half(photos))


def test_a_shard_takes_512_small_rows(tmp_path):
    counting = Counting()
    with ActivationStore(tmp_path, 10**9).open(key()) as entry:
        entry.fill(contents(600), SHAPE, counting)
    assert [len(call) for call in counting.calls] == [512, 88]


def test_another_process_object_and_a_later_one_see_what_was_filled(store, folder):
    photos = contents(10)
    other = ActivationStore(folder, 10**9)
    with store.open(key()) as entry, other.open(key()) as early:
        assert early.missing(photos) == photos
        entry.fill(photos, SHAPE, expected)
        assert early.missing(photos) == []
        assert np.array_equal(early.rows(photos).read(), half(photos))
    with ActivationStore(folder, 10**9).open(key()) as late:
        assert np.array_equal(late.rows(photos).read(), half(photos))


def test_two_who_want_the_same_take_turns(store, folder):
    photos, computed = contents(200), []

    def compute_slowly(who):
        def compute(asked):
            computed.extend((who, photo) for photo in asked)
            time.sleep(0.01)
            return expected(asked)

        return compute

    def fill(who, opened):
        with opened.open(key()) as entry:
            entry.fill(photos, SHAPE, compute_slowly(who))

    stores = {"one": store, "other": ActivationStore(folder, 10**9)}
    threads = [threading.Thread(target=fill, args=pair) for pair in stores.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(photo for _, photo in computed) == sorted(photos)
    assert {who for who, _ in computed} == {"one", "other"}


def test_entries_of_two_keys_share_nothing(store):
    photos = contents(4)
    with store.open(key()) as entry, store.open(key(view="light#1")) as other:
        entry.fill(photos, SHAPE, expected)
        assert other.missing(photos) == photos


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_too_large_numbers_become_the_largest(store, dtype):
    def compute(photos):
        rows = np.full((len(photos), 4), 1.0, np.float64)
        rows[:] = [1e300, -1e300, np.inf, -np.inf]
        return rows

    largest = np.finfo(dtype).max
    with store.open(key(dtype=dtype)) as entry:
        entry.fill(contents(2), (4,), compute)
        rows = entry.rows(contents(2)).read()
    assert rows.dtype == dtype
    assert np.array_equal(rows, np.array([[largest, -largest] * 2] * 2, dtype))


def test_nan_is_never_stored(entry):
    photos = contents(10)

    def compute(asked):
        rows = expected(asked)
        if photos[6] in asked:
            rows[-1, 0, 0, 0] = np.nan
        return rows

    with pytest.raises(NoResultError, match="NaN"):
        entry.fill(photos, SHAPE, compute)
    assert entry.missing(photos) == photos[4:]


def test_what_was_stored_before_a_failure_stays(entry):
    photos = contents(10)

    def compute(asked):
        if photos[9] in asked:
            raise OSError("the photos' disk is gone")
        return expected(asked)

    with pytest.raises(OSError, match="the photos' disk"):
        entry.fill(photos, SHAPE, compute)
    assert entry.missing(photos) == photos[8:]
    entry.fill(photos, SHAPE, expected)
    assert np.array_equal(entry.rows(photos).read(), half(photos))


def test_rows_of_another_shape_are_refused(entry):
    with pytest.raises(ValueError, match="expected rows of shape"):
        entry.fill(contents(3), (7,), expected)
    assert shards(entry.folder) == []
    entry.fill(contents(3), SHAPE, expected)
    with pytest.raises(ValueError, match="are stored"):
        entry.fill(contents(4), (7,), expected)


def test_facts_are_written_once(store):
    with store.open(key()) as entry:
        entry.fill(contents(3), SHAPE, expected)
        entry.note({"parameters": 470_544, "seconds_a_photo": 0.01})
        entry.note({"parameters": 1})
    with store.open(key()) as again:
        assert again.facts == {"parameters": 470_544, "seconds_a_photo": 0.01}
    assert store.entries()[0].facts["parameters"] == 470_544
