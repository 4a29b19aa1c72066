"""The arithmetic of storing: what it costs, what it saves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tlsearch.training.economy import READ, WRITTEN, Prospect, judge

PLENTY = 10**12
PLAIN = Prospect(
    photos=1000, views=2, epochs=10, trials=1, bytes_a_photo=50_000, seconds_a_photo=0.01
)


def test_the_sums():
    assert PLAIN.bytes_ == 100_000_000
    assert PLAIN.computed == pytest.approx(1000 * 10 * 0.01)
    once = 2000 * 0.01 + 100e6 / WRITTEN
    assert PLAIN.stored == pytest.approx(once + 10_000 * 50_000 / READ)


@pytest.mark.parametrize(
    ("changes", "pays"),
    [
        ({}, True),
        ({"epochs": 2}, False),
        ({"epochs": 2, "views": 1}, True),
        ({"epochs": 2, "trials": 5.0}, True),
        ({"epochs": 10, "views": 16}, False),
        ({"seconds_a_photo": 1e-5}, False),
        ({"bytes_a_photo": 5_000_000}, False),
    ],
    ids=["plain", "few epochs", "one view", "more trials", "many views", "quick", "large"],
)
def test_auto_stores_what_pays(changes, pays):
    verdict = judge(replace(PLAIN, **changes), "auto", PLENTY)
    assert verdict.stores == pays
    assert "computed in every epoch" in verdict.why


def test_always_stores_what_does_not_pay_as_long_as_it_fits():
    dear = replace(PLAIN, epochs=1)
    assert not judge(dear, "auto", PLENTY).stores
    assert judge(dear, "always", PLENTY).stores
    assert judge(dear, "always", dear.bytes_).stores
    assert not judge(dear, "always", dear.bytes_ - 1).stores


def test_never_stores_nothing():
    assert not judge(replace(PLAIN, trials=1000), "never", PLENTY).stores


def test_what_is_too_large_is_told_with_both_sizes():
    verdict = judge(PLAIN, "auto", 50_000_000)
    assert not verdict.stores
    assert verdict.why == "it takes 0.1 GB, and there is room for 0.1 GB"
