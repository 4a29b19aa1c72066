"""A store of small shards."""

from __future__ import annotations

import pytest
from tiny_activations import ROW_BYTES, key

from tlsearch.store.store import ActivationStore


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Of a store whose shards take 4 photos in this process."""
    monkeypatch.setattr("tlsearch.store.entry.SHARD_BYTES", 4 * ROW_BYTES)
    return tmp_path / "activations"


@pytest.fixture
def store(folder):
    return ActivationStore(folder, 10**9)


@pytest.fixture
def entry(store):
    with store.open(key()) as opened:
        yield opened
