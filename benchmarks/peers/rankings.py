"""Rankings of backbones held against what fine-tuning makes of them: arithmetic alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, median
from typing import Any

Scores = Mapping[str, float]
"""By backbone; more is better."""


def by_place(backbones: Sequence[str]) -> dict[str, float]:
    """Scores of a ranking, the best first."""
    return {name: float(len(backbones) - place) for place, name in enumerate(backbones)}


def by_publication(published: Mapping[str, float | None], sizes: Scores) -> dict[str, float]:
    """Scores by ImageNet top-1; those without a figure come last, by their size."""
    ordered = sorted(
        published, key=lambda name: (published[name] or 0.0, sizes[name]), reverse=True
    )
    return by_place(ordered)


def agreement(scores: Scores, truth: Scores) -> float:
    """Kendall's tau-b: 1 for the same order, -1 for the reverse."""
    from scipy.stats import kendalltau

    names = list(truth)
    return float(kendalltau([scores[n] for n in names], [truth[n] for n in names]).statistic)


def regret(scores: Scores, truth: Scores, keep: int) -> float:
    """How much less the best of the first `keep` reaches than the best of all."""
    kept = sorted(scores, key=lambda name: -scores[name])[:keep]
    return max(truth.values()) - max(truth[name] for name in kept)


def means(rounds: Sequence[Scores]) -> dict[str, float]:
    """Each backbone's mean over the rounds."""
    return {name: fmean(one[name] for one in rounds) for name in rounds[0]}


def cost(rounds: Sequence[Mapping[str, Any]], fine_tunes: str, screening: str) -> dict[str, float]:
    """Seconds of both, and how many times cheaper screening is: medians over the rounds."""
    sums = [sum(one[fine_tunes].values()) for one in rounds]
    return {
        "screening": median(one[screening] for one in rounds),
        "fine_tunes": median(sums),
        "times_cheaper": median(
            total / one[screening] for total, one in zip(sums, rounds, strict=True)
        ),
    }


def judge(rounds: Sequence[Mapping[str, Any]], keep: int) -> dict[str, Any]:
    """All that is said of the rounds.

    The truth is the mean over the rounds; every round's screening is held against it.

    Args:
        rounds: of each `accuracy`, `seconds`, `own_seconds`, `sizes` and `published` by backbone,
            of its fine-tunes; `ranking`, the labels as screening had them; `screening_seconds` and
            `screening_own_seconds`.
    """
    truth = means([one["accuracy"] for one in rounds])
    first = rounds[0]
    blind = {
        "published": by_publication(first["published"], first["sizes"]),
        "size": first["sizes"],
    }
    screened = [by_place(one["ranking"]) for one in rounds]
    return {
        "accuracy": truth,
        "cost": {
            "all in all": cost(rounds, "seconds", "screening_seconds"),
            "the jobs alone": cost(rounds, "own_seconds", "screening_own_seconds"),
        },
        "tau": {
            "screening": fmean(agreement(one, truth) for one in screened),
            **{name: agreement(scores, truth) for name, scores in blind.items()},
        },
        "regret_of_first": {
            "screening": fmean(regret(one, truth, 1) for one in screened),
            **{name: regret(scores, truth, 1) for name, scores in blind.items()},
        },
        "regret_of_kept": {
            "screening": fmean(regret(one, truth, keep) for one in screened),
            **{name: regret(scores, truth, keep) for name, scores in blind.items()},
        },
    }
