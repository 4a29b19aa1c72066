"""What proposes trials, and what gives them up early."""

from __future__ import annotations

import warnings

import optuna
from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from tlsearch.config.schema import Sweep


def sampler(sweep: Sweep, number: int, is_alone: bool = True) -> BaseSampler:
    """What proposes the trial of this number, the same whenever it is asked.

    Args:
        is_alone: no other trial runs, so that none has to be kept away from.
    """
    seed = sweep.search.seed * 100_003 + number
    if sweep.search.sampler == "random":
        return RandomSampler(seed=seed)
    with warnings.catch_warnings():
        # Grouped multivariate TPE is what conditional spaces need; Optuna calls it experimental.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return TPESampler(
            seed=seed,
            n_startup_trials=max(4, min(10, sweep.budget.trials // 3)),
            multivariate=True,
            group=True,
            constant_liar=not is_alone,
        )


def pruner(sweep: Sweep) -> optuna.pruners.BasePruner:
    """What gives up trials early."""
    if sweep.search.pruner == "none":
        return optuna.pruners.NopPruner()
    if sweep.search.pruner == "median":
        return optuna.pruners.MedianPruner(n_warmup_steps=first_verdict(sweep))
    return optuna.pruners.HyperbandPruner(
        min_resource=first_verdict(sweep), max_resource=sweep.train.epochs
    )


def first_verdict(sweep: Sweep) -> int:
    """The epoch before which no trial is given up.

    Where blocks are unfrozen after `head_epochs`, they get as many epochs to show what they can.
    """
    if "fine_tune" in sweep.space.strategy.choices:
        return min(sweep.train.epochs, max(1, 2 * sweep.train.head_epochs))
    return max(1, sweep.train.epochs // 4)
