"""The model in other precisions: each is kept only where it is as good, and faster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tlsearch.export.contents import Candidate, Gain, is_too_bad
from tlsearch.export.manifest import LeftOut
from tlsearch.export.reduced import RECIPES, Recipe, Reduced
from tlsearch.export.runtime import answer, fastest_provider, open_session, speed_up
from tlsearch.report.evaluation import Evaluation
from tlsearch.training.photos import Photos

if TYPE_CHECKING:
    import onnx

FASTER = 1.05
"""Below that times the speed of fp32, a second measurement might say the contrary."""
_SPEED_PHOTOS = 32


@dataclass(frozen=True, eq=False)
class Original:
    """The fp32 model, and the photos that its variants are made with and judged on."""

    model: onnx.ModelProto
    candidate: Candidate
    train: Photos
    validation: Photos

    @property
    def accuracy(self) -> float:
        """On validation."""
        return self.candidate.validation.accuracy


@dataclass(frozen=True, eq=False)
class Kept:
    """A variant that is good enough, and what it gains."""

    candidate: Candidate
    gain: Gain


def make_variant(
    original: Original, precision: Reduced, max_accuracy_loss: float
) -> Kept | LeftOut:
    """Make it in the first way that is good enough; see whether it is faster.

    Args:
        max_accuracy_loss: on validation, as a share of the photos.
    """
    try:
        candidate = _most_exact(original, precision, max_accuracy_loss)
    except Exception as error:  # what a converter does not know it may tell in any way
        reason = f"it could not be made: {type(error).__name__}: {error}".splitlines()[0]
        return LeftOut(precision=precision, reason=reason)
    gain = _measure(original, candidate)
    reasons = [
        *_too_bad(original.accuracy - candidate.validation.accuracy, max_accuracy_loss),
        *_too_slow(gain),
    ]
    if not reasons:
        return Kept(candidate, gain)
    return LeftOut(
        precision=precision,
        reason="; ".join(reasons),
        accuracy_validation=candidate.validation.accuracy,
        speedup=gain.speedup,
    )


def _most_exact(original: Original, precision: Reduced, max_accuracy_loss: float) -> Candidate:
    """The first candidate that is good enough, or the best of those that are not."""
    candidates: list[Candidate] = []
    for recipe in RECIPES[precision]:
        candidate = _make(original, precision, recipe)
        if not _too_bad(original.accuracy - candidate.validation.accuracy, max_accuracy_loss):
            return candidate
        candidates.append(candidate)
    return max(candidates, key=lambda candidate: candidate.validation.accuracy)


def _make(original: Original, precision: Reduced, recipe: Recipe) -> Candidate:
    content = recipe.make(original.model, original.train)
    answers = answer(open_session(content), original.validation)
    truth = original.candidate.validation
    return Candidate(
        precision, content, Evaluation(answers, truth.labels, truth.classes), recipe.words
    )


def _measure(original: Original, candidate: Candidate) -> Gain:
    provider = fastest_provider()
    count = min(_SPEED_PHOTOS, len(original.validation))
    images = original.validation.take(np.arange(count))
    speedup = speed_up(original.candidate.content, candidate.content, images, provider)
    return Gain(speedup, provider)


def _too_bad(loss: float, limit: float) -> list[str]:
    if not is_too_bad(loss, limit):
        return []
    return [
        f"it loses {100 * loss:.2f} points of accuracy on validation, "
        f"more than {100 * limit:g} (export.max_accuracy_loss)"
    ]


def _too_slow(gain: Gain) -> list[str]:
    if gain.speedup >= FASTER:
        return []
    return [f"it is not faster here: {gain.speedup:.2f} times fp32's speed on {gain.provider}"]
