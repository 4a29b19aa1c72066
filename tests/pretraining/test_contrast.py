"""The loss of SimCLR against a plain reckoning of it."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tlsearch.pretraining.contrast import NTXent


def by_hand(projections, temperature):
    """Equation 1 of Chen et al. 2020, one row after the other, in double precision."""
    z = projections / np.linalg.norm(projections, axis=1, keepdims=True)
    losses = []
    for i, row in enumerate(z):
        similar = np.exp(z @ row / temperature)
        partner = i + 1 if i % 2 == 0 else i - 1
        losses.append(-np.log(similar[partner] / (similar.sum() - similar[i])))
    return np.array(losses)


@pytest.mark.parametrize("temperature", [0.1, 0.2, 1.0])
@pytest.mark.parametrize("pairs", [1, 2, 17])
def test_it_is_the_loss_of_the_paper(pairs, temperature):
    projections = np.random.default_rng(pairs).normal(0, 3, (2 * pairs, 8))
    loss, rows = NTXent(temperature), projections.astype(np.float32)
    expected = by_hand(projections, temperature)
    each = keras.ops.convert_to_numpy(loss.call(None, keras.ops.convert_to_tensor(rows)))
    np.testing.assert_allclose(each, expected, rtol=1e-5, atol=1e-5)
    mean = float(loss(np.zeros(2 * pairs, np.int64), rows))
    assert mean == pytest.approx(expected.mean(), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("temperature", [0.2, 0.5])
def test_pairs_that_match_and_share_nothing_with_others(temperature):
    rows = np.repeat(np.eye(6, dtype=np.float32), 2, axis=0)
    expected = np.log1p(10 * np.exp(-1 / temperature))
    assert float(NTXent(temperature)(np.zeros(12), rows)) == pytest.approx(expected, rel=1e-5)


def test_projections_that_are_all_the_same_are_told_apart_by_chance():
    rows = np.ones((12, 4), np.float32)
    assert float(NTXent(0.2)(np.zeros(12), rows)) == pytest.approx(np.log(11), rel=1e-5)


def test_lengths_and_targets_do_not_count():
    random = np.random.default_rng(1)
    rows = random.normal(size=(8, 4)).astype(np.float32)
    longer = rows * random.uniform(1, 50, (8, 1)).astype(np.float32)
    loss = NTXent(0.2)
    known = float(loss(np.zeros(8), rows))
    assert float(loss(np.arange(8), longer)) == pytest.approx(known, rel=1e-5)


def test_half_precision_is_reckoned_in_single():
    rows = np.repeat(np.eye(6), 2, axis=0).astype(np.float16)
    value = NTXent(0.1)(np.zeros(12), rows)
    assert keras.backend.standardize_dtype(value.dtype) == "float32"
    assert float(value) == pytest.approx(np.log1p(10 * np.exp(-10)), rel=1e-3)
