"""The probe tells features that hold the classes from features that do not."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from tlsearch.training.probe import STRENGTHS, fit_probe

CLASSES, WIDTH = 4, 16


def examples(seed, count=240, apart=3.0):
    """Gaussian clouds around the corners of a simplex, on axes of very different scales."""
    random = np.random.default_rng(seed)
    labels = random.integers(CLASSES, size=count)
    centres = apart * np.eye(CLASSES, WIDTH)
    features = centres[labels] + random.normal(size=(count, WIDTH))
    return (features * np.logspace(-3, 3, WIDTH) + 5).astype(np.float32), labels


def test_classes_that_lie_apart_are_told_apart():
    probe = fit_probe(*examples(0, apart=8.0))
    assert probe.score(*examples(1, apart=8.0)) > 0.97


def test_more_is_reached_where_classes_lie_further_apart():
    near, far = (fit_probe(*examples(0, apart=apart)) for apart in (1.5, 4.0))
    assert near.score(*examples(1, apart=1.5)) + 0.1 < far.score(*examples(1, apart=4.0))


def test_labels_that_have_nothing_to_do_with_the_features():
    features, labels = examples(0, apart=8.0)
    shuffled = np.random.default_rng(1).permutation(labels)
    others, known = examples(1, count=400, apart=8.0)
    score = fit_probe(features, shuffled).score(others, np.random.default_rng(2).permutation(known))
    assert abs(score - 1 / CLASSES) < 0.12


def test_it_is_a_classifier_with_probabilities():
    features, labels = examples(0)
    probe = fit_probe(features, labels)
    chances = probe.predict_proba(features)
    assert chances.shape == (len(labels), CLASSES)
    np.testing.assert_allclose(chances.sum(axis=1), 1, atol=1e-6)
    assert np.array_equal(probe.predict(features), chances.argmax(axis=1))
    assert probe.best_params_["logisticregression__C"] in STRENGTHS


def test_the_scale_of_the_features_does_not_count():
    features, labels = examples(0)
    asked, _ = examples(1)
    smaller = fit_probe(features / 1000, labels).predict(asked / 1000)
    assert (smaller == fit_probe(features, labels).predict(asked)).mean() > 0.99


def test_the_same_examples_give_the_same_probe():
    first, again = (fit_probe(*examples(0)).predict_proba(examples(1)[0]) for _ in range(2))
    assert np.array_equal(first, again)


def test_features_that_never_change_do_no_harm():
    features, labels = examples(0, apart=8.0)
    features[:, -1] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fit_probe(features, labels).score(features, labels) > 0.97


@pytest.mark.parametrize("count", [30, 600])
def test_a_perfect_separation_is_no_reason_to_warn(count):
    """Weak regularisation does not converge here; nobody is to read about it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit_probe(*examples(0, count=count, apart=50.0))
