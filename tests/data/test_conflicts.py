"""Copies: those that leak, those that contradict each other, and harmless ones."""

from __future__ import annotations

from tlsearch.data.conflicts import find_conflicts
from tlsearch.data.split import Hashed


def find(*photos):
    """Photos as (content, label, split)."""
    hashed = [Hashed(content, label, None) for content, label, _ in photos]
    paths = [f"{row}.jpg" for row in range(len(photos))]
    return find_conflicts(paths, hashed, [split for _, _, split in photos])


def test_a_copy_in_two_splits():
    found = find(("0", "a", "train"), ("1", "a", "train"), ("0", "a", "test"))
    assert found == [
        "one photo is there in more than one split, which flatters the results: 0.jpg = 2.jpg",
        "one photo is there more than once: 0.jpg = 2.jpg",
    ]


def test_a_copy_with_two_labels():
    found = find(("0", "a", "train"), ("0", "b", "train"))
    assert found[0].startswith("one photo is there with more than one label")


def test_the_first_of_many_are_named():
    photos = [(str(row // 2), "a", "train") for row in range(10)]
    assert find(*photos) == [
        "5 photos are there more than once: 0.jpg = 1.jpg; 2.jpg = 3.jpg; 4.jpg = 5.jpg, and 2 more"
    ]


def test_no_copies():
    assert find(("0", "a", "train"), ("1", "a", "test")) == []
