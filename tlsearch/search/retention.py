"""Which trained weights of finished trials stay on the disk: `checkpoints.keep`.

Histories and predictions always stay: reports are drawn from them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from optuna.trial import FrozenTrial

from tlsearch.config.schema import Sweep
from tlsearch.paths import SweepPaths
from tlsearch.search.leaderboard import champion, rival
from tlsearch.training.trained import TrainedTrial


class Retention:
    """Removes the weights that are not to be kept. What it did not get to, the next call does."""

    def __init__(self, sweep: Sweep, folder: SweepPaths) -> None:
        self._keep = sweep.checkpoints.keep
        self._objective = sweep.objective
        self._folder = folder

    def after_trial(self, trials: Iterable[FrozenTrial]) -> None:
        """Keep all, or those that can still be the champion or its rival.

        A trial that was beaten by one of its kind stays beaten, whatever comes.
        """
        known = [*trials]
        if self._keep != "all":
            best = (champion(known, self._objective), rival(known, self._objective))
            self._drop(known, {trial.number for trial in best if trial is not None})

    def after_delivery(self, trials: Iterable[FrozenTrial]) -> None:
        """The champion's bundle is made: with `none` nothing else is needed."""
        if self._keep == "none":
            self._drop(trials, set())

    def _drop(self, trials: Iterable[FrozenTrial], but: Collection[int]) -> None:
        for trial in trials:
            if trial.state.is_finished() and trial.number not in but:
                TrainedTrial(self._folder.trial(trial.number)).drop_weights()
