"""Mixup and CutMix: photos and targets in the same proportion."""

from __future__ import annotations

import numpy as np
import pytest

from tlsearch.augmentation.mixing import mix

COUNT, SIZE = 24, 32


@pytest.fixture
def batch():
    """Photo i is all of colour 10 i and class i, so that a pixel tells whose it is."""
    levels = np.arange(COUNT, dtype=np.uint8) * 10
    photos = np.broadcast_to(levels[:, None, None, None], (COUNT, SIZE, SIZE, 3)).copy()
    return photos, np.eye(COUNT, dtype=np.float32)


def rounds(batch, count=60, **alphas):
    return [mix(*batch, np.random.default_rng(seed), **alphas) for seed in range(count)]


def cut_in(mixed):
    """For each round, whether any photo has more than one colour."""
    return [bool(np.ptp(photos.reshape(COUNT, -1), axis=1).any()) for photos, _ in mixed]


def test_without_an_alpha_a_batch_stays_as_it_is(batch):
    photos, targets = mix(*batch, np.random.default_rng(0), mixup=0, cutmix=0)
    np.testing.assert_array_equal(photos, batch[0])
    np.testing.assert_array_equal(targets, batch[1])


@pytest.mark.parametrize("alphas", [{"mixup": 0.4, "cutmix": 0}, {"mixup": 0, "cutmix": 1}])
def test_targets_are_those_of_the_pixels(batch, alphas):
    before = batch[0].copy()
    shares = []
    for photos, targets in rounds(batch, **alphas):
        assert (photos.shape, photos.dtype) == (before.shape, np.uint8)
        assert (targets.shape, targets.dtype) == ((COUNT, COUNT), np.float32)
        np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)
        wanted = targets.astype(float) @ (np.arange(COUNT) * 10)
        np.testing.assert_allclose(photos.mean(axis=(1, 2, 3)), wanted, atol=0.51)
        shares.append(np.diag(targets).min())
    np.testing.assert_array_equal(batch[0], before)
    assert np.ptp(shares) > 0.8


def test_cut_in_is_a_rectangle_of_the_partner_at_its_own_place():
    random = np.random.default_rng(5)
    photos = random.integers(0, 256, (2, SIZE, SIZE, 3), np.uint8)
    for seed in range(40):
        mixed, targets = mix(
            photos, np.eye(2, dtype=np.float32), np.random.default_rng(seed), mixup=0, cutmix=1
        )
        theirs = (mixed[0] != photos[0]).any(axis=2)
        if theirs.any():
            rows, columns = np.flatnonzero(theirs.any(axis=1)), np.flatnonzero(theirs.any(axis=0))
            box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            np.testing.assert_array_equal(mixed[0][box], photos[1][box])
            assert theirs.sum() == len(rows) * len(columns)
            assert targets[0, 1] == pytest.approx(theirs.mean())


def test_proportions_are_drawn_from_the_beta_distribution(batch):
    for alpha, spread in ((0.2, 1 / (4 * 1.4)), (4.0, 1 / (4 * 9))):
        # A photo may be its own partner; the largest share of another one is the partner's.
        mixed = rounds(batch, 400, mixup=alpha, cutmix=0)
        shares = [(targets - np.diag(np.diag(targets))).max() for _, targets in mixed]
        assert np.mean(shares) == pytest.approx(0.5, abs=0.05)
        assert np.var(shares) == pytest.approx(spread, rel=0.2)


def test_with_both_each_batch_draws_one_of_them(batch):
    drawn = cut_in(rounds(batch, 200, mixup=8, cutmix=8))
    assert 70 < sum(drawn) < 130
    assert all(cut_in(rounds(batch, 40, mixup=0, cutmix=8)))
    assert not any(cut_in(rounds(batch, 40, mixup=8, cutmix=0)))


def test_the_same_seed_mixes_the_same(batch):
    first, second, other = (
        mix(*batch, np.random.default_rng(seed), mixup=0.5, cutmix=0.5) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
    assert not np.array_equal(first[1], other[1])


def test_a_batch_of_one_is_mixed_with_itself(batch):
    photos, targets = mix(batch[0][3:4], batch[1][3:4], np.random.default_rng(0), mixup=1, cutmix=0)
    np.testing.assert_array_equal(photos, batch[0][3:4])
    np.testing.assert_array_equal(targets, batch[1][3:4])
