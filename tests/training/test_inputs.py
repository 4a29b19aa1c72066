"""Batches, augmentation and the store of activations."""

from __future__ import annotations

import numpy as np
import pytest

from tlsearch.config.schema import Train
from tlsearch.training.activations import ActivationCache, compute, size_of
from tlsearch.training.augment import augmentation
from tlsearch.training.batches import Batches, from_photos, from_views
from tlsearch.training.fit import prepare
from tlsearch.training.inputs import Inputs
from tlsearch.training.network import build_network
from tlsearch.training.phases import phases

LABELS = np.arange(10)


def _epoch(batches):
    """The labels in the order of one epoch, and what the batches held for them."""
    parts = [batches[index] for index in range(batches.num_batches)]
    batches.on_epoch_end()
    return np.concatenate([y for _, y in parts]), np.concatenate([x for x, _ in parts])


def _batches(seed, rows=lambda positions, random: positions, size=4):
    return Batches(rows, LABELS, size, seed=seed)


def test_an_epoch_has_every_photo_once_in_another_order():
    batches = _batches(seed=3)
    assert batches.num_batches == 3
    orders = [_epoch(batches)[0] for _ in range(4)]
    assert all(sorted(order) == list(range(10)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4


def test_inputs_and_labels_belong_together():
    labels, inputs = _epoch(_batches(seed=3))
    np.testing.assert_array_equal(labels, inputs)


def test_the_order_is_the_seed_s():
    assert list(_epoch(_batches(seed=3))[0]) == list(_epoch(_batches(seed=3))[0])
    assert list(_epoch(_batches(seed=3))[0]) != list(_epoch(_batches(seed=4))[0])


def test_validation_keeps_its_order():
    batches = _batches(seed=None)
    assert [list(_epoch(batches)[0]) for _ in range(2)] == [list(range(10))] * 2


def test_views_are_drawn_anew_and_do_not_change_the_order():
    views = np.stack([LABELS, LABELS + 100])
    drawn, plain = _batches(3, from_views(views)), _batches(3)
    seen = set()
    for _ in range(24):
        labels, inputs = _epoch(drawn)
        np.testing.assert_array_equal(inputs % 100, labels)
        assert list(labels) == list(_epoch(plain)[0])
        seen.update(inputs)
    assert seen == set(views.flatten())


def test_photos_come_from_their_rows(data):
    photos = data.photos["validation"]
    take = from_photos(photos.pixels, photos.rows, None)
    np.testing.assert_array_equal(
        take(np.array([2, 0]), np.random.default_rng(0)), photos.pixels[photos.rows[[2, 0]]]
    )


@pytest.mark.parametrize("strength", ["light", "strong"])
def test_augmentation_is_the_seed_s(data, strength):
    photos = data.photos["train"].pixels[:6]
    first, second, other = (augmentation(strength, seed) for seed in (1, 1, 2))
    one = first(photos)
    assert (one.dtype, one.shape) == (photos.dtype, photos.shape)
    np.testing.assert_array_equal(one, second(photos))
    assert not np.array_equal(one, other(photos))
    assert not np.array_equal(one, first(photos))
    assert all(not np.array_equal(a, b) for a, b in zip(one, photos, strict=True))


@pytest.mark.parametrize("strength", ["light", "strong"])
def test_augmentation_leaves_what_it_was_given_alone(data, strength):
    photos = data.photos["train"].pixels[:4].copy()
    augmentation(strength, 1)(photos)
    np.testing.assert_array_equal(photos, data.photos["train"].pixels[:4])


def test_a_rendition_shows_the_same_photo():
    """A grey photo has nothing that could turn; light leaves its colour, strong changes it."""
    grey = np.full((8, 32, 32, 3), 90, dtype="uint8")
    np.testing.assert_array_equal(augmentation("light", 1)(grey), grey)
    strong = augmentation("strong", 1)(grey)
    assert len({int(photo.mean()) for photo in strong}) > 3
    assert all(abs(photo.mean() - 90) <= 80 for photo in strong)


def test_half_of_the_photos_are_mirrored():
    """Bright on the left: light turns too little to bring that to the other side."""
    photos = np.zeros((64, 32, 32, 3), dtype="uint8")
    photos[:, :, :16] = 200
    renditions = augmentation("light", 1)(photos).astype(float)
    mirrored = renditions[:, :, 24:].mean(axis=(1, 2, 3)) > renditions[:, :, :8].mean(
        axis=(1, 2, 3)
    )
    assert 16 <= mirrored.sum() <= 48


def test_none_is_no_augmentation():
    assert augmentation("none", 1) is None


def test_the_cache_makes_an_array_once():
    cache, made = ActivationCache(), []

    def make():
        made.append(1)
        return np.zeros(4, "float32")

    assert cache.get("a", make) is cache.get("a", make)
    assert len(made) == 1


def test_the_least_recently_used_goes_first():
    cache, made = ActivationCache(limit=100), []

    def get(key):
        def make():
            made.append(key)
            return np.zeros(10, "float32")

        return cache.get(key, make)

    for key in "abacab":
        get(key)
    assert "".join(made) == "abcb"


def test_what_does_not_fit_is_not_kept():
    cache = ActivationCache(limit=100)
    assert cache.fits(100)
    assert not cache.fits(101)


@pytest.fixture
def prefix(configure, data):
    """A frozen prefix, and a function to the inputs for it."""
    configuration, train = configure(augment="light"), Train(batch_size=8)
    network = build_network(configuration, 3, train)
    inputs = Inputs(data, configuration, 8, ActivationCache(), seed=5)
    return prepare(network, phases(configuration, train, network)[0], inputs)[0]


def test_activations_are_what_the_prefix_says(prefix, data):
    photos = data.photos["validation"]
    activations = compute(prefix, photos, [None], batch_size=5)
    assert activations.shape == (1, 12, 32)
    wanted = prefix.predict_on_batch(photos.pixels[photos.rows])
    np.testing.assert_allclose(activations[0], wanted, rtol=2**-10, atol=1e-6)  # half precision
    assert activations.nbytes == size_of(prefix, 12, 1)


def test_every_view_is_another_rendition(prefix, data):
    augments = [augmentation("light", seed) for seed in (1, 2)]
    first, second = compute(prefix, data.photos["validation"], augments)
    assert np.abs(first - second).max() > 1e-3


@pytest.mark.parametrize(("augment", "views"), [("none", 1), ("light", 2), ("strong", 2)])
def test_trials_share_activations(configure, data, prefix, augment, views):
    cache = ActivationCache()
    keys = []
    get = cache.get
    cache.get = lambda key, make, bytes_: get(key, lambda: keys.append(key) or make(), bytes_)
    for seed in (1, 2):
        inputs = Inputs(data, configure(augment=augment), 8, cache, seed)
        for split in ("train", "validation"):
            _, inputs_of_epoch = _epoch(inputs.batches(split, prefix))
            assert inputs_of_epoch.shape == (len(data.labels[split]), 32)
    assert len(keys) == 2
    assert cache.get(keys[0], None, 0).shape[0] == views


def test_other_photos_have_other_activations(configure, data, prefix):
    cache = ActivationCache()
    other = type(data)(data.photos, data.labels, "others", data.views)
    for one in (data, other):
        Inputs(one, configure(), 8, cache, 1).batches("validation", prefix)
    assert len(cache._arrays) == 2
