"""The probe: a linear classifier on pooled features, to see what a frozen backbone is worth."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sklearn.model_selection import GridSearchCV

STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)
"""Inverse regularisation, chosen among by cross-validation."""
_FOLDS = 3
_STEPS = 300


def fit_probe(features: np.ndarray, labels: np.ndarray) -> GridSearchCV:
    """Fit a multinomial logistic regression (L-BFGS) on standardised features.

    Args:
        features: float32 [n, c]; labels: int64 [n], at least three photos of each class.

    Returns:
        A scikit-learn classifier with `predict`, `predict_proba` and `score`.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=_STEPS))
    search = GridSearchCV(classifier, {"logisticregression__C": STRENGTHS}, cv=_FOLDS)
    with warnings.catch_warnings():
        # The weakest regularisation may want more steps; cross-validation judges what it reached.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return search.fit(features, labels)
