"""Renditions follow from the photo, the policy and the seed, and from nothing else."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from hashlib import sha256

import numpy as np
import pytest

from tlsearch.augmentation.draws import view_seeds
from tlsearch.augmentation.renderer import renderer
from tlsearch.config.policy import Policy

OWN = Policy(
    name="own",
    vertical_flip=0.5,
    rotation=20,
    shear=10,
    crop=0.5,
    brightness=0.2,
    hue=0.1,
    operations=1,
)
POLICIES = ["light", "strong", "randaugment", OWN]
FROZEN = {
    "light": "57085b76043f4713",
    "strong": "828aa0a22acc1560",
    "randaugment": "05ab918f635c9314",
    "own": "d19651aa70adefa0",
}


def label(policy):
    return policy if isinstance(policy, str) else policy.name


every_policy = pytest.mark.parametrize("policy", POLICIES, ids=label)


@pytest.fixture(scope="module")
def photos():
    """Patches of colours, every photo others."""
    rough = np.random.Generator(np.random.Philox(key=3)).bytes(9 * 6 * 6 * 3)
    patches = np.frombuffer(rough, np.uint8).reshape(9, 6, 6, 3)
    return patches.repeat(8, axis=1).repeat(8, axis=2)


@pytest.fixture(scope="module")
def contents(photos):
    return [sha256(photo).hexdigest() for photo in photos]


@every_policy
def test_a_rendition_is_the_same_in_any_batch_and_order(photos, contents, policy):
    seeds = view_seeds(contents, 2)
    whole = renderer(policy).render(photos, seeds)
    assert (whole.shape, whole.dtype) == (photos.shape, np.uint8)
    order = np.array([4, 0, 8, 2])
    some = renderer(policy).render(photos[order], seeds[order])
    np.testing.assert_array_equal(some, whole[order])
    one_by_one = [renderer(policy).render(photos[[i]], seeds[[i]])[0] for i in range(len(photos))]
    np.testing.assert_array_equal(one_by_one, whole)


@every_policy
def test_what_was_rendered_before_does_not_matter(photos, contents, policy):
    one = renderer(policy)
    first = one.render(photos, view_seeds(contents, 0))
    other = one.render(photos, view_seeds(contents, 1))
    np.testing.assert_array_equal(one.render(photos, view_seeds(contents, 0)), first)
    assert not np.array_equal(other, first)


@every_policy
def test_many_threads_make_what_one_makes(photos, contents, policy, monkeypatch):
    many = np.repeat(photos, 8, axis=0)
    seeds = np.concatenate([view_seeds(contents, view) for view in range(8)])
    made = []
    for cores in (1, 7):
        monkeypatch.setattr(
            "tlsearch.augmentation.renderer.usable_cores", lambda cores=cores: cores
        )
        made.append(renderer(policy).render(many, seeds))
    np.testing.assert_array_equal(*made)


@every_policy
def test_a_photo_is_left_alone_and_may_be_read_only(photos, contents, policy):
    before = photos.copy()
    locked = photos.copy()
    locked.flags.writeable = False
    made = renderer(policy).render(locked, view_seeds(contents, 0))
    assert made.flags.writeable
    np.testing.assert_array_equal(locked, before)


@every_policy
def test_another_process_makes_the_same(photos, contents, policy):
    """Hashing of text differs between processes; a rendition must not."""
    code = (
        "import sys, pickle; from hashlib import sha256;"
        "from tlsearch.augmentation.renderer import renderer;"
        "policy, photos, seeds = pickle.load(sys.stdin.buffer);"
        "one = renderer(policy);"
        "print(one.name, sha256(one.render(photos, seeds)).hexdigest())"
    )
    seeds = view_seeds(contents, 5)
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=pickle.dumps((policy, photos, seeds)),
        env={**os.environ, "PYTHONHASHSEED": "77"},
        capture_output=True,
        check=True,
    )
    one = renderer(policy)
    digest = sha256(one.render(photos, seeds)).hexdigest()
    assert done.stdout.decode().split() == [one.name, digest]


def test_seeds_follow_from_content_and_view():
    a, b = sha256(b"a").hexdigest(), sha256(b"b").hexdigest()
    seeds = view_seeds([a, b, a], 0)
    assert seeds.dtype == np.uint64
    assert seeds[0] == seeds[2] != seeds[1]
    assert len(np.unique([view_seeds([a, b], view) for view in range(50)])) == 100
    assert view_seeds([], 3).shape == (0,)


def test_no_photos_are_no_renditions(photos):
    none = renderer("light").render(photos[:0], view_seeds([], 0))
    assert none.shape == (0, 48, 48, 3)


def test_nothing_to_change_is_no_renderer():
    assert renderer("none") is None
    assert renderer("strong", 0) is None


def test_a_name_says_what_decides_the_pixels():
    names = {
        renderer(policy, strength).name for policy in POLICIES for strength in (0.5, 1, 1.000004)
    }
    assert len(names) == 3 * len(POLICIES)
    assert renderer("light").name == renderer("light", 1).name
    # Steps of a range add up to such numbers.
    assert renderer("light", 0.1 + 0.2).name == renderer("light", 0.3).name
    assert renderer(OWN.model_copy(update={"name": "other"})).name == renderer(OWN).name
    assert renderer(OWN.model_copy(update={"hue": 0.2})).name != renderer(OWN).name


@every_policy
def test_a_strength_says_how_far_renditions_are_from_the_photo(photos, policy):
    many = np.repeat(photos, 40, axis=0)
    seeds = np.arange(len(many), dtype=np.uint64)
    # Half of them are mirrored at any strength; hold these against the mirrored photo.
    flipless = renderer(policy, 1e-6).render(many, seeds)
    apart = [
        np.abs(renderer(policy, strength).render(many, seeds).astype(int) - flipless).mean()
        for strength in (0.2, 1)
    ]
    assert apart[0] < 0.85 * apart[1]


@every_policy
def test_pixels_stay_what_they_are(photos, contents, policy):
    """Stored activations depend on them. If this fails, count `renderer.ARITHMETIC` up."""
    made = renderer(policy, 1.25).render(photos, view_seeds(contents, 1))
    assert sha256(made).hexdigest()[:16] == FROZEN[label(policy)]
