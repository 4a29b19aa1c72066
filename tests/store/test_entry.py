"""An entry: what is filled is read back, is computed once, and only where it is missing."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_activations import SHAPE, contents, expected, key

from tlsearch.store.store import ActivationStore


@pytest.fixture
def store(tmp_path):
    return ActivationStore(tmp_path / "activations", 10**9)


@pytest.fixture
def entry(store):
    with store.open(key()) as opened:
        yield opened


def test_an_empty_entry(entry):
    photos = contents(3)
    assert entry.missing(photos) == photos
    assert entry.missing([]) == []
    assert (entry.shape, entry.facts) == (None, {})
    with pytest.raises(KeyError, match=photos[0]):
        entry.rows(photos)


def test_rows_are_what_was_computed(entry):
    photos = contents(20)
    entry.fill(photos, SHAPE, expected)
    assert entry.missing(photos) == []
    assert entry.shape == SHAPE
    rows = entry.rows(photos)
    assert (len(rows), rows.shape, rows.dtype) == (20, (20, *SHAPE), np.float16)
    assert rows.nbytes == 20 * 2 * np.prod(SHAPE)
    assert np.array_equal(rows.read(), expected(photos).astype(np.float16))
