"""The arithmetic of storing: what it costs, what it saves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tlsearch.training.economy import READ, WRITTEN, Prospect, judge

PLENTY = 10**12
PLAIN = Prospect(rows=2000, row_bytes=50_000, row_seconds=0.01, looks=10_000, look_seconds=0.01)
"""A thousand photos in two views, for ten epochs."""


def test_the_sums():
    assert PLAIN.bytes_ == 100_000_000
    assert PLAIN.computed == pytest.approx(1000 * 10 * 0.01)
    once = 2000 * 0.01 + 100e6 / WRITTEN
    assert PLAIN.stored == pytest.approx(once + 10_000 * 50_000 / READ)


@pytest.mark.parametrize(
    ("changes", "pays"),
    [
        ({}, True),
        ({"looks": 2_000}, False),
        ({"looks": 2_000, "rows": 1_000}, True),
        ({"rows": 16_000}, False),
        ({"row_seconds": 0.1}, False),
        ({"look_seconds": 1e-3}, False),
        ({"row_seconds": 1e-3, "look_seconds": 1e-3}, True),
        ({"row_bytes": 5_000_000}, False),
    ],
    ids=["plain", "few", "one view", "many views", "dear", "saves little", "quick", "large"],
)
def test_auto_stores_what_pays(changes, pays):
    verdict = judge(replace(PLAIN, **changes), "auto", PLENTY)
    assert verdict.stores == pays
    assert "computed in every epoch" in verdict.why


def test_always_stores_what_does_not_pay_as_long_as_it_fits():
    dear = replace(PLAIN, looks=1000)
    assert not judge(dear, "auto", PLENTY).stores
    assert judge(dear, "always", PLENTY).stores
    assert judge(dear, "always", dear.bytes_).stores
    assert not judge(dear, "always", dear.bytes_ - 1).stores


def test_never_stores_nothing():
    assert not judge(replace(PLAIN, looks=10**7), "never", PLENTY).stores


def test_what_is_too_large_is_told_with_both_sizes():
    verdict = judge(PLAIN, "auto", 50_000_000)
    assert not verdict.stores
    assert verdict.why == "it takes 100.0 MB, and there is room for 50.0 MB"
    large = judge(replace(PLAIN, rows=10**6), "always", -1)
    assert large.why == "it takes 50.00 GB, and there is room for 0.0 MB"
