"""How much room could be made, told without making it."""

from __future__ import annotations

import pytest
from tiny_activations import SHAPE, contents, expected, key

from tlsearch.store.store import ActivationStore


@pytest.fixture
def store(tmp_path):
    return ActivationStore(tmp_path / "activations", 10**6)


def _size(store, cut):
    return next(one.bytes_ for one in store.entries() if one.key.cut == cut)


def test_a_store_that_is_not_there_has_room_for_its_limit(store):
    assert store.room() == 10**6
    assert not store.folder.exists()


def test_what_nobody_uses_is_room_and_stays(store):
    for cut in "ab":
        with store.open(key(cut=cut)) as entry:
            entry.fill(contents(100), SHAPE, expected)
    assert store.room() == 10**6
    with store.open(key(cut="a")):
        room = store.room()
        assert room == 10**6 - _size(store, "a")
        assert store.make_room(room)
        assert not store.make_room(room + 1)
    assert [one.key.cut for one in store.entries()] == ["a"]


def test_what_is_used_may_be_more_than_the_limit(store):
    with store.open(key(cut="a")) as entry:
        entry.fill(contents(100), SHAPE, expected)
        small = ActivationStore(store.folder, 10)
        assert small.room() == 0
        assert not small.make_room(1)


def test_a_disk_has_less_room_than_the_limit_says(tmp_path):
    store = ActivationStore(tmp_path / "activations", 10**18)
    assert 0 < store.room() < 10**18
    assert not store.make_room(10**18)


def test_what_is_reserved_of_the_disk_is_no_room(tmp_path):
    store = ActivationStore(tmp_path / "activations", 10**18, reserve=10**18)
    assert store.room() == 0
    assert not store.make_room(1)
