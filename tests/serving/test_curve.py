from __future__ import annotations

import hashlib

import pytest

from serving.curve import BatchCurve, measure_curve

WORK = b"." * 2_000_000


def hashed(times: int) -> None:
    for _ in range(times):
        hashlib.sha256(WORK).digest()


def test_the_best_size_is_the_smallest_that_is_near_the_best():
    assert BatchCurve({1: 1.0, 2: 1.98, 4: 3.95}).best() == 1
    assert BatchCurve({1: 1.0, 2: 1.1, 4: 2.1, 8: 8.0}).best() == 4
    assert BatchCurve({1: 1.0, 2: 1.1}).rate(2) == pytest.approx(2 / 1.1)


def test_sizes_are_powers_of_two_up_to_the_largest():
    asked: list[int] = []
    curve = measure_curve(lambda size: (asked.append(size), hashed(1)), largest=20)
    assert list(curve.seconds) == [1, 2, 4, 8, 16]
    assert set(asked) == {1, 2, 4, 8, 16}
    assert curve.best() > 1


def test_hopeless_sizes_are_left_out():
    curve = measure_curve(lambda size: hashed(size**3), largest=64)
    assert max(curve.seconds) < 64
    assert curve.best() == 1


def test_above_a_size_that_fails_nothing_is_tried(caplog):
    def run(size):
        if size > 4:
            raise MemoryError("the device is full")
        hashed(1)

    assert list(measure_curve(run, largest=32).seconds) == [1, 2, 4]
    assert "less than 8 photos here, for that fails: the device is full" in caplog.text


def test_where_not_even_one_photo_runs_there_is_no_curve():
    def run(size):
        raise MemoryError("the device is full")

    with pytest.raises(MemoryError):
        measure_curve(run)


def test_without_time_each_run_counts():
    curve = measure_curve(lambda size: hashed(size), largest=64, seconds=0)
    assert list(curve.seconds) == [1]
