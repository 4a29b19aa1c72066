"""Renditions follow from the photo, the policy and the seed, and from nothing else."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import pytest

from tlsearch.augmentation.draws import view_seeds
from tlsearch.augmentation.renderer import renderer
from tlsearch.config.policy import Policy

OWN = Policy(name="mine", rotation=20, shear=10, crop=0.5, brightness=0.2, hue=0.1, operations=1)
POLICIES = ["light", "strong", "randaugment", OWN]
SIZE = 48


@pytest.fixture(scope="module")
def photos():
    """Smooth colours, every photo others: what a photo is like, and not noise."""
    rough = np.random.default_rng(3).integers(0, 256, (9, 6, 6, 3), np.uint8)
    return rough.repeat(8, axis=1).repeat(8, axis=2)


@pytest.fixture(scope="module")
def contents(photos):
    return [sha256(photo).hexdigest() for photo in photos]


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_a_rendition_is_the_same_in_any_batch_and_order(photos, contents, policy):
    seeds = view_seeds(contents, 2)
    whole = renderer(policy).render(photos, seeds)
    assert (whole.shape, whole.dtype) == (photos.shape, np.uint8)
    order = np.array([4, 0, 8, 2])
    some = renderer(policy).render(photos[order], seeds[order])
    np.testing.assert_array_equal(some, whole[order])
    one_by_one = [renderer(policy).render(photos[[i]], seeds[[i]])[0] for i in range(len(photos))]
    np.testing.assert_array_equal(one_by_one, whole)
