"""Which supervisor trains which trial: counted and taken under the study's lock.

A trial that runs has an owner. Whoever asks for work gets the trial of a dead owner first, then
one that was enqueued, then a new one, unless the budget is spent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from tlsearch.config.schema import Sweep
from tlsearch.search.crew import Crew
from tlsearch.search.sampling import sampler
from tlsearch.search.space import sample

OWNER = "owner"
"""The user attribute of a trial: who has trained it last; "" if it was set down."""

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


class TrialTakenOver(Exception):
    """Another supervisor has taken a trial over, because this one was taken for dead."""


@dataclass(frozen=True)
class Count:
    """How many trials have ended, and which run: for owners who live, and for dead ones."""

    known: tuple[FrozenTrial, ...]
    """All there are, those that wait among them."""
    finished: int
    running: tuple[FrozenTrial, ...]
    left: tuple[FrozenTrial, ...]
    """Those whose owners are dead."""

    @property
    def begun(self) -> int:
        return self.finished + len(self.running) + len(self.left)


class Claims:
    """What one supervisor claims of a study's trials. The study's lock must be held."""

    def __init__(self, study: optuna.Study, crew: Crew) -> None:
        self._study = study
        self._crew = crew

    def count(self) -> Count:
        """Count them."""
        trials = self._study.get_trials(deepcopy=False)
        running = [trial for trial in trials if trial.state is TrialState.RUNNING]
        alive = self._crew.living(trial.user_attrs.get(OWNER) for trial in running)
        return Count(
            known=tuple(trials),
            finished=sum(trial.state in FINISHED for trial in trials),
            running=tuple(t for t in running if t.user_attrs.get(OWNER) in alive),
            left=tuple(t for t in running if t.user_attrs.get(OWNER) not in alive),
        )

    def take_over(self, left: FrozenTrial, sweep: Sweep) -> Trial:
        """A trial that was asked and never told, by its number and parameters.

        One that was killed before it had all its parameters is given those it would have had.
        """
        self._study.sampler = sampler(sweep, left.number)
        return self._own(Trial(self._study, left._trial_id), sweep)

    def ask(self, sweep: Sweep, known: Sequence[FrozenTrial]) -> Trial:
        """The next trial: an enqueued one, or a new one.

        The sampler is made anew from the seed and the trial's number, so that a sweep that was
        interrupted proposes what an undisturbed one would have.

        Args:
            known: all trials, as they have just been counted.
        """
        waiting = [trial.number for trial in known if trial.state is TrialState.WAITING]
        is_alone = not any(trial.state is TrialState.RUNNING for trial in known)
        self._study.sampler = sampler(sweep, waiting[0] if waiting else len(known), is_alone)
        return self._own(self._study.ask(), sweep)

    def owns(self, trial: Trial) -> bool:
        """Whether the trial still runs, and for this supervisor."""
        known = self._study._storage.get_trial(trial._trial_id)
        is_mine = known.user_attrs.get(OWNER) == self._crew.name
        return is_mine and known.state is TrialState.RUNNING

    def set_down(self, trial: Trial) -> None:
        """Leave a trial that is not over to whoever asks next."""
        trial.set_user_attr(OWNER, "")

    def _own(self, trial: Trial, sweep: Sweep) -> Trial:
        trial.set_user_attr(OWNER, self._crew.name)
        # Here, where nobody else proposes: the next one sees these parameters.
        sample(sweep.space, trial)
        return trial
