"""The probe: a linear classifier on pooled features.

It tells what a frozen backbone is worth, and its solution is what every head starts from: the
problem is convex, so there is nothing to search, and blocks that are unfrozen are not pulled apart
by the gradients of a random head.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np

from tlsearch.files import write_whole
from tlsearch.store.files import explain_failure
from tlsearch.training.head_model import CLASSIFIER
from tlsearch.training.weights import Weights

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.model_selection import BaseCrossValidator

STRENGTHS = (0.3, 3.0, 30.0, 300.0)
"""Inverse regularisation of the mean loss, chosen among by cross-validation."""
MOST = 20_000
"""Photos that a probe is fitted to: more would take memory and minutes, and hardly move it."""
FORMAT = 2
"""To be raised when the same examples would give another probe, so that kept ones are not used."""
_FOLDS = 3
_STEPS = 100
_TOLERANCE = 1e-3
"""Of the largest gradient. With 1e-4 the flowers take five times as long and score the same."""


@dataclass(frozen=True, eq=False)
class Probe:
    """A linear softmax classifier.

    kernel: float32 [c, classes]; bias: float32 [classes]; strength: the inverse regularisation
    that was chosen; log_loss: what cross-validation measured for it.
    """

    kernel: np.ndarray
    bias: np.ndarray
    strength: float
    log_loss: float

    def as_head(self, outputs: int) -> Weights:
        """The same classifier as the head's layer; with one output as a sigmoid for class 1."""
        if outputs > 1:
            return {CLASSIFIER: [self.kernel, self.bias]}
        return {
            CLASSIFIER: [np.diff(self.kernel, axis=1), np.diff(self.bias)],
        }

    def predict(self, features: np.ndarray) -> np.ndarray:
        """The likeliest classes, int64 [n], of pooled features float32 [n, c]."""
        return (features @ self.kernel + self.bias).argmax(axis=1)

    def score(self, features: np.ndarray, labels: np.ndarray) -> float:
        """The share of photos whose class is right."""
        return float((self.predict(features) == labels).mean())


def fit_probe(features: np.ndarray, labels: np.ndarray) -> Probe:
    """Fit a multinomial logistic regression (L-BFGS) on standardised features.

    Of more than `MOST` photos it sees some of each class, as many as its share is.

    Args:
        features: float32 [n, c]; labels: int64 [n] from 0, at least one photo of each class.
    """
    if len(labels) > MOST:
        some = _spread(labels, MOST)
        features, labels = features[some], labels[some]
    folds = min(_FOLDS, int(np.bincount(labels).max()))
    if folds < 2:
        # One photo of each class cannot be held out: twins of all are.
        return fit_probe(np.repeat(features, 2, axis=0), np.repeat(labels, 2))
    mean, deviation = features.mean(axis=0), _deviation(features)
    search = _search((features - mean) / deviation, labels, folds)
    kernel = _for_each_class(search.coef_).T / deviation[:, None]
    bias = _for_each_class(search.intercept_[:, None])[:, 0] - mean @ kernel
    best = -float(np.max(search.scores_.mean(axis=0)))
    return Probe(
        kernel.astype("float32"), bias.astype("float32"), float(search.C_) * len(labels), best
    )


def _spread(labels: np.ndarray, most: int) -> np.ndarray:
    """About `most` places, int64, from all over each class in proportion, at least one of each."""
    share, chosen = most / len(labels), []
    for label in np.unique(labels):
        places = np.flatnonzero(labels == label)
        count = max(1, round(share * len(places)))
        chosen.append(places[np.linspace(0, len(places) - 1, count).astype("int64")])
    return np.sort(np.concatenate(chosen))


def answer_unseen(features: np.ndarray, labels: np.ndarray, folds: int) -> np.ndarray:
    """Which photos are classified right by a probe that was fitted to the others, bool [n].

    All folds share one strength, the best for them together: a choice of four, which is as
    generous to one backbone as to another.

    Args:
        features: float32 [n, c]; labels: int64 [n], at least `folds` of each that occurs.
    """
    from sklearn.model_selection import StratifiedKFold

    _, classes = np.unique(labels, return_inverse=True)
    standard = _in_their_span((features - features.mean(axis=0)) / _deviation(features))
    parts = StratifiedKFold(folds, shuffle=True, random_state=0)
    search = _search(standard, classes, parts, refit=False)
    chosen = int(np.argmax(search.scores_.mean(axis=0)))
    right = np.zeros(len(labels), bool)
    for (_, judged), kernel in zip(
        parts.split(standard, classes), search.coefs_paths_[:, 0, chosen], strict=True
    ):
        kernel = _for_each_class(kernel).T
        answers = (standard[judged] @ kernel[:-1] + kernel[-1]).argmax(axis=1)
        right[judged] = answers == classes[judged]
    return right


def _in_their_span(standard: np.ndarray) -> np.ndarray:
    """Features of fewer photos than channels, in coordinates of the span of these photos.

    The kernel of a regression with a quadratic penalty lies in that span (the representer theorem;
    Kimeldorf and Wahba 1971), so that nothing is lost, and each step of a fit has less to do.
    """
    if len(standard) >= standard.shape[1]:
        return standard
    standard = standard.astype("float64")
    squares, directions = np.linalg.eigh(standard @ standard.T)
    kept = squares > 1e-10 * squares[-1]
    return directions[:, kept] * np.sqrt(squares[kept])


def _search(
    standard: np.ndarray,
    labels: np.ndarray,
    folds: int | BaseCrossValidator,
    *,
    refit: bool = True,
) -> LogisticRegressionCV:
    """Fits of all strengths, judged by cross-validation.

    Args:
        refit: fit the best strength to all examples too.
    """
    from sklearn.linear_model import LogisticRegressionCV
    from threadpoolctl import threadpool_limits

    search = LogisticRegressionCV(
        Cs=[strength / len(labels) for strength in STRENGTHS],
        cv=folds,
        max_iter=_STEPS,
        tol=_TOLERANCE,
        scoring="neg_log_loss",
        use_legacy_attributes=False,
        refit=refit,
    )
    # The products are small: a second thread would wait longer than it works.
    with warnings.catch_warnings(), threadpool_limits(1, user_api="blas"):
        # The weakest regularisation may want more steps; cross-validation judges what it reached.
        warnings.simplefilter("ignore")
        return search.fit(standard, labels)


def _deviation(features: np.ndarray) -> np.ndarray:
    return features.std(axis=0) + 1e-6


def _for_each_class(rows: np.ndarray) -> np.ndarray:
    """For two classes scikit-learn gives the second one's row alone, of a sigmoid."""
    return np.concatenate([-rows / 2, rows / 2]) if len(rows) == 1 else rows


def recall_or_fit(file: Path, load: Callable[[], tuple[np.ndarray, np.ndarray]]) -> Probe:
    """The probe that is kept in a file; fitted and kept there if it is not.

    Args:
        load: gives the features and labels that the file's name stands for.

    Raises:
        HomeError: the disk is full, or may not be written to.
    """
    from filelock import FileLock

    with explain_failure(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
        probe = _recall(file)
        if probe is not None:
            return probe
        # Not under the lock: features may have to be computed first, and whoever waits for a lock
        # makes no progress that the supervisor could see.
        examples = load()
        with FileLock(file.with_suffix(".lock")):
            probe = _recall(file)
            if probe is None:
                probe = fit_probe(*examples)
                write_whole(file, _as_bytes(probe))
    return probe


def _recall(file: Path) -> Probe | None:
    try:
        with np.load(file) as kept:
            return Probe(kept["kernel"], kept["bias"], *kept["facts"].tolist())
    except (OSError, EOFError, ValueError, KeyError, BadZipFile):
        return None


def _as_bytes(probe: Probe) -> bytes:
    facts = np.array([probe.strength, probe.log_loss])
    with BytesIO() as buffer:
        np.savez(buffer, kernel=probe.kernel, bias=probe.bias, facts=facts)
        return buffer.getvalue()
