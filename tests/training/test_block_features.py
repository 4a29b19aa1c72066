"""Features at the top of a backbone and below it: one pass, kept by photo, found by trials."""

from __future__ import annotations

import numpy as np
import pytest

from tlsearch.store.store import ActivationStore
from tlsearch.training.activations import Activations, Saving
from tlsearch.training.block_features import block_features, lower_cuts, select
from tlsearch.training.frozen import FrozenBackbone
from tlsearch.training.head import POOLED

CUTS = ["relu_1", "relu_2"]


@pytest.fixture(scope="module")
def frozen(tiny_backbone):
    return FrozenBackbone(tiny_backbone, 32, "avg", "float32")


@pytest.fixture
def store(tmp_path):
    return ActivationStore(tmp_path / "activations", 10**9)


@pytest.fixture
def counted(monkeypatch):
    """How many photos went through a network, batch by batch."""
    import keras

    seen = []
    plain = keras.Model.predict_on_batch

    def count(model, batch):
        seen.append(len(batch))
        return plain(model, batch)

    monkeypatch.setattr(keras.Model, "predict_on_batch", count)
    return seen


def test_lower_cuts_lie_after_half_and_three_quarters_of_the_blocks():
    assert lower_cuts([str(i) for i in range(1, 13)]) == ["6", "9"]
    assert lower_cuts(["1", "2", "3"]) == ["2"]
    assert lower_cuts(["all"]) == []


def test_they_are_the_means_of_what_the_blocks_put_out(frozen, photos):
    found = block_features(frozen, photos["train"], CUTS, None)
    batch = photos["train"].take(np.arange(len(photos["train"])))
    for cut in CUTS:
        maps = frozen.between(None, cut).predict_on_batch(batch)
        assert np.allclose(found[cut], maps.mean(axis=(1, 2)), atol=1e-5)
    assert np.allclose(found[POOLED], frozen.network.predict_on_batch(batch), atol=1e-5)


def test_stored_or_not_they_are_the_same(frozen, photos, store):
    computed = block_features(frozen, photos["train"], CUTS, None)
    for _ in range(2):
        stored = block_features(frozen, photos["train"], CUTS, store)
        assert stored.keys() == computed.keys()
        for name in computed:
            assert np.allclose(stored[name], computed[name], atol=1e-6)


def test_only_photos_that_are_new_are_computed(frozen, photos, store, counted):
    train = photos["train"]
    some = select(train, np.array([5, 2, 9]))
    before = block_features(frozen, some, CUTS, store)
    more = block_features(frozen, select(train, np.array([9, 1, 5, 2])), CUTS, store)
    assert counted == [3, 1]
    for name in before:
        assert np.array_equal(more[name][[2, 3, 0]], before[name])


def test_a_trial_finds_what_screening_computed(frozen, photos, store, counted):
    block_features(frozen, photos["train"], [], store)
    counted.clear()
    with Activations(store, frozen, photos, Saving(use="always")) as activations:
        features = activations.look("train", POOLED)
        assert counted == []
        assert activations.parameters() == frozen.parameters
    assert len(features) == len(photos["train"])


def test_without_room_they_are_computed_and_not_stored(frozen, photos, tmp_path):
    full = ActivationStore(tmp_path / "activations", 1_000)
    found = block_features(frozen, photos["train"], CUTS, full)
    assert all(len(rows) == len(photos["train"]) for rows in found.values())
    assert full.entries() == []
