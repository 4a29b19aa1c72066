"""Splits by content: stable, repeatable, in the shares that were asked for."""

from __future__ import annotations

import hashlib
import re
from collections import Counter

import pytest

from tlsearch.config.schema import Split
from tlsearch.data.split import Hashed, assign, count_photos, fraction
from tlsearch.errors import DataError


def photos(count, label="a", split=None, start=0):
    names = (f"{label}/{number}" for number in range(start, start + count))
    return [Hashed(hashlib.sha256(name.encode()).hexdigest(), label, split) for name in names]


def shares(places):
    counts = Counter(places)
    return {name: counts[name] / len(places) for name in ("train", "validation", "test")}


def test_the_shares_are_what_was_asked_for():
    places = assign(photos(10_000), Split(train=0.7, validation=0.2, test=0.1))
    assert shares(places) == pytest.approx({"train": 0.7, "validation": 0.2, "test": 0.1}, abs=0.02)


def test_fractions_are_spread_evenly():
    tenths = Counter(int(fraction(photo.content, 7) * 10) for photo in photos(10_000))
    assert sorted(tenths) == list(range(10))
    assert min(tenths.values()) > 850


@pytest.mark.parametrize("added", [1, 100, 5000])
def test_adding_photos_moves_none_of_the_old_ones(added):
    old, new = photos(5000), photos(added, start=5000)
    places = dict(zip(old, assign(old, Split()), strict=True))
    together = new[: added // 2] + old[::-1] + new[added // 2 :]
    after = dict(zip(together, assign(together, Split()), strict=True))
    assert {photo: after[photo] for photo in old} == places


def test_identical_photos_fall_in_the_same_split():
    some = photos(500)
    twice = [*some, *(Hashed(photo.content, "b", None) for photo in some)]
    places = assign(twice, Split())
    assert places[:500] == places[500:]


def test_another_seed_gives_another_split():
    some = photos(500)
    assert assign(some, Split(seed=1)) != assign(some, Split(seed=2))
    assert assign(some, Split(seed=1)) == assign(some, Split(seed=1))


def test_splits_that_the_source_names_are_kept():
    some = [
        *photos(50, split="train"),
        *photos(5, split="validation", start=50),
        *photos(7, split="test", start=55),
    ]
    assert assign(some, Split()) == [photo.split for photo in some]


@pytest.mark.parametrize(
    ("named", "missing", "share"),
    [("validation", "test", 0.1 / 0.7), ("test", "validation", 0.3 / 0.9)],
)
def test_a_missing_split_is_carved_out_of_train(named, missing, share):
    split = Split(train=0.6, validation=0.3, test=0.1)
    some = [*photos(10_000, split="train"), *photos(100, split=named, start=10_000)]
    places = assign(some, split)
    assert set(places[10_000:]) == {named}
    assert named not in places[:10_000]
    assert shares(places[:10_000])[missing] == pytest.approx(share, abs=0.02)


def test_where_only_train_is_named_it_is_split_as_if_nothing_was():
    assert assign(photos(500, split="train"), Split()) == assign(photos(500), Split())


def test_photos_without_a_split_count_as_train():
    named = [*photos(50, split="validation"), *photos(50, split="test", start=50)]
    places = assign([*photos(50, start=100), *named], Split())
    assert places[:50] == ["train"] * 50


def test_a_class_that_is_missing_in_a_split_is_counted_and_a_seed_found():
    some = [*photos(200, "many"), *photos(6, "few")]
    bad = next(seed for seed in range(1000) if not works(some, seed))
    with pytest.raises(DataError) as raised:
        assign(some, Split(seed=bad))
    message = str(raised.value)
    assert re.search(r"few in (validation|test)", message)
    assert re.search(r"few: train \d, validation \d, test \d", message)
    proposed = int(re.search(r"data\.split\.seed=(\d+)", raised.value.hint).group(1))
    assert works(some, proposed)
    assert not any(works(some, seed) for seed in range(proposed))


def works(some, seed):
    try:
        assign(some, Split(seed=seed))
    except DataError:
        return False
    return True


def test_no_seed_is_proposed_where_none_helps():
    with pytest.raises(DataError) as raised:
        assign([*photos(100, "many"), *photos(2, "few")], Split())
    assert "seed" not in raised.value.hint


def test_a_class_that_the_source_left_out_of_its_validation_split():
    some = [
        *photos(50, "a", "train"),
        *photos(50, "b", "train"),
        *photos(5, "a", "validation", 50),
    ]
    with pytest.raises(DataError, match="b in validation"):
        assign(some, Split())


def test_counts_hold_zeros():
    counts = count_photos([Hashed("0", "a", None), Hashed("1", "b", None)], ["train", "test"])
    assert counts["a", "train"] == counts["b", "test"] == 1
    assert sum(counts.values()) == 2
    assert len(counts) == 6
