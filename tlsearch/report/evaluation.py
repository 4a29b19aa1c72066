"""How good a trained classifier is on one split, from its probabilities.

Holds the numbers and the tables; the pictures are made in `plots` and `contact_sheet`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tlsearch.errors import NoResultError, UsageError

if TYPE_CHECKING:
    import pandas as pd

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

NORMAL_95 = 1.959963984540054
"""How many standard deviations either side hold 95 % of a normal distribution."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a classifier answered, and what was right.

    Args:
        probabilities: float32 `[n, classes]`, each row adding up to 1.
        labels: int `[n]`, the true class of each photo.
        classes: the class names in the order of the columns.

    Raises:
        UsageError: the three do not fit together.
        NoResultError: a probability is not a number: the training diverged.
    """

    probabilities: npt.NDArray[np.float32]
    labels: npt.NDArray[np.integer]
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "probabilities", np.asarray(self.probabilities, np.float32))
        object.__setattr__(self, "labels", np.asarray(self.labels, np.int64))
        object.__setattr__(self, "classes", tuple(self.classes))
        _check(self.probabilities, self.labels, len(self.classes))

    @property
    def photos(self) -> int:
        """How many photos were judged."""
        return len(self.labels)

    @cached_property
    def predicted(self) -> IntArray:
        """The most probable class of each photo, `[n]`."""
        return self.probabilities.argmax(axis=1)

    @cached_property
    def confusion(self) -> IntArray:
        """Photos by true class (rows) and predicted class (columns), `[classes, classes]`."""
        count = len(self.classes)
        flat = np.bincount(self.labels * count + self.predicted, minlength=count * count)
        return flat.reshape(count, count).astype(np.int64)

    @property
    def accuracy(self) -> float:
        """The share of photos whose most probable class is the true one."""
        return float(np.trace(self.confusion) / self.photos)

    @property
    def balanced_accuracy(self) -> float:
        """The mean recall of the classes that have photos."""
        return float(self.recall[self.support > 0].mean())

    @cached_property
    def support(self) -> IntArray:
        """Photos of each true class, `[classes]`."""
        return self.confusion.sum(axis=1)

    @cached_property
    def recall(self) -> FloatArray:
        """The share of each class that was found, `[classes]`; 0 for a class without photos."""
        return _ratio(np.diag(self.confusion), self.support)

    @cached_property
    def precision(self) -> FloatArray:
        """The share of right answers among those that named a class, `[classes]`; 0 for none."""
        return _ratio(np.diag(self.confusion), self.confusion.sum(axis=0))

    @cached_property
    def f1(self) -> FloatArray:
        """The harmonic mean of precision and recall, `[classes]`."""
        return _ratio(2 * self.precision * self.recall, self.precision + self.recall)

    @property
    def log_loss(self) -> float:
        """The mean negative log of the true class's probability, in nats.

        A probability of zero counts as the smallest float32 step, so one photo cannot make
        the figure infinite.
        """
        true = self.probabilities[np.arange(self.photos), self.labels].astype(np.float64)
        return float(-np.log(np.clip(true, np.finfo(np.float32).eps, 1.0)).mean())

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval of the accuracy (Wilson 1927, JASA 22:209-212)."""
        return wilson_interval(int(np.trace(self.confusion)), self.photos)

    def worst(self, k: int) -> IntArray:
        """The `k` most confident mistakes, worst first, as indices into the photos."""
        mistakes = np.flatnonzero(self.predicted != self.labels)
        confidence = self.probabilities[mistakes, self.predicted[mistakes]]
        return mistakes[np.argsort(-confidence, kind="stable")][:k]

    def metrics(self) -> dict[str, float]:
        """Every single number, by the name it has in MLflow (without the split's prefix)."""
        low, high = self.interval
        return {
            "accuracy": self.accuracy,
            "accuracy_low": low,
            "accuracy_high": high,
            "balanced_accuracy": self.balanced_accuracy,
            "macro_precision": self._macro(self.precision),
            "macro_recall": self._macro(self.recall),
            "macro_f1": self._macro(self.f1),
            "log_loss": self.log_loss,
        }

    def per_class(self) -> pd.DataFrame:
        """One row a class: `class`, `precision`, `recall`, `f1`, `photos`."""
        import pandas as pd

        columns = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return pd.DataFrame({"class": self.classes, **columns, "photos": self.support})

    def confusion_table(self) -> pd.DataFrame:
        """The confusion matrix with its class names, true classes as rows."""
        import pandas as pd

        rows = pd.Index(self.classes, name="true")
        return pd.DataFrame(self.confusion, index=rows, columns=pd.Index(self.classes))

    def _macro(self, values: FloatArray) -> float:
        """The mean over the classes that occur, as a true or as a predicted one."""
        seen = (self.support + self.confusion.sum(axis=0)) > 0
        return float(values[seen].mean())


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % score interval of a share; it stays inside 0 to 1 and is not empty at its ends.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference,
    JASA 22 (1927).
    """
    share, square = successes / trials, NORMAL_95**2 / trials
    centre = (share + square / 2) / (1 + square)
    spread = math.sqrt(share * (1 - share) * square + square**2 / 4) / (1 + square)
    return max(0.0, centre - spread), min(1.0, centre + spread)


def _ratio(above: npt.NDArray, below: npt.NDArray) -> FloatArray:
    result = np.zeros(len(above), np.float64)
    return np.divide(above, below, out=result, where=below > 0)


def _check(probabilities: npt.NDArray, labels: npt.NDArray, classes: int) -> None:
    if probabilities.shape != (len(labels), classes) or len(labels) == 0:
        raise UsageError(
            "probabilities, labels and class names do not fit together",
            received=f"{probabilities.shape}, {labels.shape}, {classes} classes",
            expected="probabilities [n, classes] and labels [n] of at least one photo",
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise UsageError(
            "a label is not one of the classes",
            received=f"{labels.min()} to {labels.max()}",
            expected=f"0 to {classes - 1}",
        )
    if not np.isfinite(probabilities).all():
        raise NoResultError(
            "a probability is not a number",
            received=f"{int((~np.isfinite(probabilities)).sum())} values that are NaN or infinite",
            hint="the training diverged; lower learning_rate or head_learning_rate",
        )
