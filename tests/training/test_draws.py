"""What an epoch shows follows from the seed and its number."""

from __future__ import annotations

import numpy as np
import pytest

from tlsearch.training.draws import Draws

PHOTOS = 50


def _same(one, other):
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("order", "views", "seeds")
    )


def test_an_epoch_depends_on_seed_and_number_alone():
    draws = Draws(3, PHOTOS, 4)
    third = [draws.epoch(number) for number in (1, 2, 3)][-1]
    alone = Draws(3, PHOTOS, 4).epoch(3)
    assert _same(third, alone)
    assert third.random.random(5).tolist() == alone.random.random(5).tolist()


@pytest.mark.parametrize("name", ["order", "views", "seeds"])
def test_epochs_and_seeds_differ(name):
    drawn = [
        getattr(Draws(seed, PHOTOS, 4).epoch(number), name).tolist()
        for seed in (3, 4)
        for number in (1, 2)
    ]
    assert len({tuple(one) for one in drawn}) == 4


def test_an_epoch_has_every_photo_once():
    draw = Draws(3, PHOTOS).epoch(1)
    batches = draw.batches(8)
    assert [len(batch) for batch in batches] == [8] * 6 + [2]
    np.testing.assert_array_equal(np.concatenate(batches), draw.order)
    assert sorted(draw.order) == list(range(PHOTOS))
    assert list(draw.order) != list(range(PHOTOS))


def test_more_views_leave_the_rest_as_it_is():
    one, four = (Draws(3, PHOTOS, views).epoch(2) for views in (1, 4))
    np.testing.assert_array_equal(one.order, four.order)
    np.testing.assert_array_equal(one.seeds, four.seeds)
    assert not one.views.any()


def test_every_view_is_as_likely():
    drawn = np.concatenate([Draws(seed, 1000, 4).epoch(1).views for seed in range(10)])
    shares = np.bincount(drawn) / len(drawn)
    assert len(shares) == 4
    np.testing.assert_allclose(shares, 0.25, atol=0.02)


def test_seeds_of_renditions_use_all_their_bits():
    seeds = Draws(3, 1000).epoch(1).seeds
    assert seeds.dtype == np.uint64
    assert len(set(seeds.tolist())) == 1000
    assert seeds.max() > 2**63
