"""An epoch's inputs: of each photo the view that was drawn for it, from memory or from disk."""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np
import pytest
from tiny_activations import SHAPE, contents, expected, key

from tlsearch.store.store import ActivationStore
from tlsearch.training.draws import Draws
from tlsearch.training.mixture import Held, Shelf, Stored

PHOTOS, VIEWS = 20, 3


@pytest.fixture
def views(tmp_path):
    """Three views; what is kept for one photo in view v is v times what is kept in view 1."""
    store, photos, made = ActivationStore(tmp_path / "store", 10**9), contents(PHOTOS), []
    with ExitStack() as opened:
        for number in range(VIEWS):
            entry = opened.enter_context(store.open(key(view=str(number))))
            entry.fill(photos, SHAPE, lambda some, number=number: number * expected(some))
            made.append(entry.rows(photos))
        yield made


@pytest.fixture(params=[Held, Stored], ids=["in memory", "on disk"])
def mixture(request, views):
    limit = 10**9 if request.param is Held else 0
    made = Shelf(limit).mix("views", views)
    assert type(made) is request.param
    return made


def test_each_photo_is_shown_in_its_view(mixture):
    draw = Draws(1, PHOTOS, VIEWS).epoch(1)
    assert set(draw.views) == set(range(VIEWS))
    originals = expected(contents(PHOTOS)).astype("float16")
    for positions in draw.batches(6):
        taken = mixture.take(positions, draw)
        assert taken.dtype == np.float16
        wanted = originals[positions] * draw.views[positions].reshape(-1, 1, 1, 1)
        np.testing.assert_allclose(taken, wanted, rtol=2**-10)


def test_a_photo_is_the_same_wherever_it_comes(mixture):
    draw = Draws(1, PHOTOS, VIEWS).epoch(1)
    there = mixture.take(np.array([4, 9, 2]), draw)
    alone = mixture.take(np.array([9]), draw)
    np.testing.assert_array_equal(there[1], alone[0])
    twice = mixture.take(np.array([9, 9]), draw)
    np.testing.assert_array_equal(twice[0], twice[1])


def test_a_look_shows_the_first_view(mixture):
    positions = np.array([3, 0, 19])
    np.testing.assert_array_equal(mixture.look(positions), np.zeros((3, *SHAPE)))
    assert mixture.look(positions[:0]).shape == (0, *SHAPE)


def test_a_shelf_holds_what_was_put_there(views):
    shelf = Shelf()
    assert shelf.get("one") is None
    held = shelf.mix("one", views)
    assert shelf.get("one") is held
    assert shelf.get("another") is None


def test_the_least_recently_used_leaves_the_shelf_first(views):
    size = sum(rows.nbytes for rows in views)
    shelf = Shelf(2 * size)
    for name in ("a", "b"):
        shelf.mix(name, views)
    shelf.get("a")
    shelf.mix("c", views)
    assert [shelf.get(name) is not None for name in ("a", "b", "c")] == [True, False, True]


def test_what_is_too_large_for_the_shelf_leaves_the_others_there(views):
    shelf = Shelf(sum(rows.nbytes for rows in views) - 1)
    shelf.mix("small", views[:1])
    assert isinstance(shelf.mix("large", views), Stored)
    assert shelf.get("large") is None
    assert shelf.get("small") is not None
