"""The probe tells features that hold the classes from features that do not."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from filelock import FileLock

from tlsearch.errors import HomeError
from tlsearch.training import probe
from tlsearch.training.head_model import HeadModel
from tlsearch.training.judging import accuracy
from tlsearch.training.probe import STRENGTHS, answer_unseen, fit_probe, recall_or_fit

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


def test_it_says_which_class_is_likeliest():
    features, labels = examples(0)
    probe = fit_probe(features, labels)
    logits = features @ probe.kernel + probe.bias
    assert logits.shape == (len(labels), CLASSES)
    assert (probe.kernel.dtype, probe.bias.dtype) == (np.float32, np.float32)
    found = probe.predict(features)
    np.testing.assert_array_equal(found, logits.argmax(axis=1))
    assert probe.score(features, labels) == (found == labels).mean()


def test_it_says_what_cross_validation_found():
    near, far = (fit_probe(*examples(0, apart=apart)) for apart in (1.0, 6.0))
    assert all(any(probe.strength == pytest.approx(s) for s in STRENGTHS) for probe in (near, far))
    assert near.strength < far.strength
    assert far.log_loss < near.log_loss < np.log(CLASSES)


def test_it_is_the_regression_on_standardised_features():
    """scikit-learn's own pipeline at the strength that was chosen, as near as the solver goes."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features, labels = examples(0)
    probe = fit_probe(features, labels)
    strength = probe.strength / len(labels)
    known = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000))
    known.fit(features.astype("float64"), labels)
    asked, _ = examples(1)
    logits = asked @ probe.kernel + probe.bias
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities, known.predict_proba(asked), atol=0.05)


@pytest.mark.parametrize("outputs", [CLASSES, 2, 1])
def test_as_a_head_it_answers_the_same(outputs):
    features, labels = examples(0)
    labels = labels if outputs > 2 else (labels > 1).astype(int)
    probe = fit_probe(features, labels)
    answers = HeadModel(probe.as_head(outputs), 0.0).predict(features)
    assert answers.shape == (len(labels), outputs)
    assert accuracy(answers, labels) == probe.score(features, labels) > 0.8
    classes = answers[:, 0] > 0.5 if outputs == 1 else answers.argmax(axis=1)
    np.testing.assert_array_equal(classes, probe.predict(features))


def test_a_sigmoid_is_as_sure_as_both_columns():
    features, labels = examples(0)
    probe = fit_probe(features, labels % 2)
    one, two = (HeadModel(probe.as_head(outputs), 0.0).predict(features) for outputs in (1, 2))
    np.testing.assert_allclose(one[:, 0], two[:, 1], atol=1e-3)


def test_of_very_many_photos_it_sees_some_of_each_class(monkeypatch):
    features, labels = examples(0, count=2_000, apart=8.0)
    rare = np.flatnonzero(labels == 0)[1:]
    features, labels = np.delete(features, rare, axis=0), np.delete(labels, rare)
    whole = fit_probe(features, labels)
    monkeypatch.setattr(probe, "MOST", 200)
    some, again = fit_probe(features, labels), fit_probe(features, labels)
    np.testing.assert_array_equal(some.kernel, again.kernel)
    assert np.abs(some.kernel - whole.kernel).max() > 0
    assert some.kernel.shape == (WIDTH, CLASSES)
    assert some.score(features, labels) > 0.97


def test_few_photos_of_many_channels_are_answered_as_if_all_channels_were_looked_at(monkeypatch):
    random, labels = np.random.default_rng(3), np.arange(60) % CLASSES
    centres = 0.3 * random.normal(size=(CLASSES, 200))
    features = (centres[labels] + random.normal(size=(60, 200))).astype("float32")
    found = answer_unseen(features, labels, 5)
    monkeypatch.setattr(probe, "_in_their_span", lambda standard: standard)
    wanted = answer_unseen(features, labels, 5)
    assert (found == wanted).mean() > 0.95
    assert 0.3 < wanted.mean() < 1


def test_features_are_not_computed_while_others_wait_for_the_probe(tmp_path):
    def load():
        with FileLock(tmp_path / "probe.lock", timeout=0):
            return examples(0)

    assert recall_or_fit(tmp_path / "probe.npz", load).kernel.shape == (WIDTH, CLASSES)


@pytest.mark.parametrize("counts", [[2, 2, 2], [1, 1, 1], [1, 1], [20, 20, 1], [20, 2]])
def test_few_photos_are_enough(counts):
    labels = np.repeat(np.arange(len(counts)), counts)
    features = 5 * np.eye(len(counts), WIDTH, dtype="float32")[labels]
    features += np.random.default_rng(0).normal(size=features.shape).astype("float32")
    probe = fit_probe(features, labels)
    assert probe.kernel.shape == (WIDTH, len(counts))
    assert probe.score(features, labels) == 1
    assert np.isfinite(probe.log_loss)


class Loads:
    """Gives the examples, and counts how often it was asked."""

    def __init__(self, seed=0):
        self.seed, self.times = seed, 0

    def __call__(self):
        self.times += 1
        return examples(self.seed)


def _same(one, other):
    return np.array_equal(one.kernel, other.kernel) and np.array_equal(one.bias, other.bias)


def test_a_probe_is_fitted_once(tmp_path):
    load, file = Loads(), tmp_path / "probes" / "one.npz"
    first, again = recall_or_fit(file, load), recall_or_fit(file, load)
    assert load.times == 1
    assert _same(first, again)
    assert (first.strength, first.log_loss) == (again.strength, again.log_loss)
    assert not _same(recall_or_fit(file.with_name("other.npz"), Loads(1)), first)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: b"x" * len(data),
        lambda data: data[:300] + bytes([data[300] ^ 1]) + data[301:],
    ],
    ids=["empty", "cut short", "overwritten", "one bit"],
)
def test_a_damaged_file_is_fitted_again(tmp_path, damage):
    file = tmp_path / "one.npz"
    first = recall_or_fit(file, Loads())
    file.write_bytes(damage(file.read_bytes()))
    load = Loads()
    assert _same(recall_or_fit(file, load), first)
    assert load.times == 1
    assert _same(recall_or_fit(file, load), first)
    assert load.times == 1


def test_a_folder_that_may_not_be_written_to_is_named(tmp_path):
    (tmp_path / "probes").write_text("a file")
    with pytest.raises(HomeError):
        recall_or_fit(tmp_path / "probes" / "one.npz", Loads())


def test_the_scale_of_the_features_does_not_count():
    features, labels = examples(0)
    asked, _ = examples(1)
    smaller = fit_probe(features / 1000, labels).predict(asked / 1000)
    assert (smaller == fit_probe(features, labels).predict(asked)).mean() > 0.99


def test_the_same_examples_give_the_same_probe():
    assert _same(*(fit_probe(*examples(0)) for _ in range(2)))


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
