"""The Optuna study of a sweep: opened, continued, asked and told.

Several supervisors may share it: what has to be counted and taken at one stroke is done under the
study's lock. What they claim is in `claims`, who they are in `crew`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, Trial, TrialState

from tlsearch.config.configuration import Configuration
from tlsearch.config.difference import differences
from tlsearch.config.schema import Sweep
from tlsearch.errors import NoResultError, SetupError, StudyMismatchError, UsageError
from tlsearch.paths import Paths
from tlsearch.search.claims import FINISHED, OWNER, Claims, TrialTakenOver
from tlsearch.search.crew import Crew
from tlsearch.search.definition import completed, definition
from tlsearch.search.errands import Errands
from tlsearch.search.leaderboard import RESULT, champion, rival
from tlsearch.search.notes import StudyNotes
from tlsearch.search.sampling import first_verdict, pruner
from tlsearch.search.space import fixed, sample
from tlsearch.search.storage import StudyPlace, embedded, set_aside, translate_errors
from tlsearch.search.turn import Turn

DEFINITION, DATASET, SECONDS = "tlsearch.definition", "tlsearch.dataset", "tlsearch.seconds"
"""The last one is of studies that were searched by a version that knew one supervisor alone."""

ENQUEUED = "enqueued"
"""The user attribute of a trial that was enqueued: with which parameters."""


class SweepStudy(StudyNotes):
    """One sweep's study. A trial is RUNNING from when it is claimed until it is told.

    A trial whose supervisor has died keeps its number and parameters and is claimed by another.
    `leave` ends what `open` begins.
    """

    def __init__(self, study: optuna.Study, sweep: Sweep, turn: Turn, crew: Crew) -> None:
        super().__init__(study)
        self._sweep = sweep
        self._turn = turn
        self._reported: dict[int, set[int]] = {}
        self._claims = Claims(study, crew)
        self.crew = crew
        self.errands = Errands(study, turn, crew)

    @classmethod
    def open(cls, sweep: Sweep, paths: Paths, *, new: bool = False) -> SweepStudy:
        """The study of this sweep, made if there is none; with `new`, the old one is set aside.

        Raises:
            StudyMismatchError: the study on disk was made by a different sweep.
            SetupError: the database cannot be used, or by one supervisor alone, and there is one.
            UsageError: `new`, and others are at work on the old one.
        """
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        place = StudyPlace.of(sweep, paths)
        turn = place.turn()
        with ExitStack() as held:
            with translate_errors():
                held.enter_context(turn.hold())
            storage = place.open()
            if new:
                _refuse_while_others_run(storage, place, turn, paths)
                set_aside(sweep.name, storage)
            study = optuna.create_study(
                study_name=sweep.name,
                storage=storage,
                direction=sweep.objective.direction,
                pruner=pruner(sweep),
                load_if_exists=True,
            )
            opened = cls(study, sweep, turn, Crew(study, turn, place.locks, paths.home))
            opened._hold_against(definition(sweep))
            opened._make_key()
            opened._enter()
        return opened

    @classmethod
    def find(cls, sweep: Sweep, paths: Paths) -> SweepStudy | None:
        """The study of this sweep if there is one, to be read; makes nothing.

        Raises:
            StudyMismatchError: the study on disk was made by a different sweep.
        """
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        place = StudyPlace.of(sweep, paths)
        if place.address == embedded(paths) and not paths.optuna_db.is_file():
            return None
        storage = place.open()
        if sweep.name not in optuna.study.get_all_study_names(storage):
            return None
        study, turn = optuna.load_study(study_name=sweep.name, storage=storage), place.turn()
        found = cls(study, sweep, turn, Crew(study, turn, place.locks, paths.home))
        found._hold_against(definition(sweep))
        return found

    def __enter__(self) -> SweepStudy:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.leave()

    def leave(self) -> None:
        """Be none of its supervisors any more: trials that are not told are for others."""
        self.crew.leave()
        self._turn.close()

    def _enter(self) -> None:
        self.crew.enter()
        if not self._turn.allows_others and not self.crew.is_first_here:
            self.crew.leave()
            raise SetupError(
                "this sweep is running already",
                received="a database other than SQLite or PostgreSQL in search.storage",
                expected="one `tlsearch run` of a sweep at a time",
                hint="wait for it, or keep the study in SQLite or PostgreSQL: search.storage=...",
            )

    @property
    def sweep(self) -> Sweep:
        """The sweep, its space as narrowed by screening."""
        found = self.screening
        return found.narrow(self._sweep) if found else self._sweep

    def trials(self) -> list[FrozenTrial]:
        """All that have begun."""
        return [trial for trial in self._all() if trial.state is not TrialState.WAITING]

    def _all(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def finished(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=FINISHED)

    def running(self) -> list[FrozenTrial]:
        """Trials that were claimed and not told, whoever has them."""
        return self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))

    def elsewhere(self) -> list[int]:
        """The numbers of the running trials that others have claimed."""
        mine = self.crew.name
        return [one.number for one in self.running() if one.user_attrs.get(OWNER) != mine]

    def is_spent(self) -> bool:
        """Whether the sweep's budget is used up by what has ended."""
        return self._is_spent(len(self.finished()))

    def _is_spent(self, trials: int) -> bool:
        hours = self._sweep.budget.hours
        if hours is not None and self.seconds() >= hours * 3600:
            return True
        return trials >= self._sweep.budget.trials

    def claim(self) -> Trial | None:
        """A trial to be trained, for this supervisor alone; None if there is none.

        That of a supervisor who has died goes first, then what is enqueued, then a new one, unless
        what has ended and what runs use up the budget.
        """
        with self._turn.hold():
            count = self._claims.count()
            if count.left:
                left = count.left[0]
                self._reported[left.number] = set(left.intermediate_values)
                return self._claims.take_over(left, self.sweep)
            if self._is_spent(count.begun):
                return None
            return self._claims.ask(self.sweep, count.known)

    def ask(self) -> Trial:
        """The next trial, whatever the budget is."""
        with self._turn.hold():
            return self._claims.ask(self.sweep, self._all())

    def note(self, trial: Trial, name: str, value: Any) -> None:
        """Keep a user attribute of a trial that runs.

        Raises:
            TrialTakenOver: another supervisor has had it, and has ended it.
        """
        try:
            trial.set_user_attr(name, value)
        except UpdateFinishedTrialError:
            raise TrialTakenOver from None

    def set_down(self, trial: Trial, attributes: Mapping[str, Any]) -> None:
        """Leave a trial that is not over to whoever asks next, with these user attributes."""
        with self._turn.hold():
            if self._claims.owns(trial):
                for name, value in attributes.items():
                    trial.set_user_attr(name, value)
                self._claims.set_down(trial)

    def enqueue(self, given: Iterable[Mapping[str, Any]]) -> None:
        """Have these parameters tried next, in order, each once in the life of the study.

        Args:
            given: as tables show them; what a trial leaves out is sampled.
        """
        with self._turn.hold():
            before = Counter(trial.user_attrs.get(ENQUEUED) for trial in self._all())
            for parameters in given:
                name = json.dumps(dict(parameters), sort_keys=True)
                if before[name]:
                    before[name] -= 1
                    continue
                values = fixed(self.sweep.space, parameters)
                self._study.enqueue_trial(values, user_attrs={ENQUEUED: name})

    def configure(self, trial: Trial) -> Configuration:
        return sample(self.sweep.space, trial)

    def champion(self) -> FrozenTrial:
        """The best complete trial.

        Raises:
            NoResultError: none is complete.
        """
        best = champion(self.trials(), self._sweep.objective)
        if best is None:
            raise NoResultError(
                "no trial is complete, so there is no champion",
                received=f"{len(self.finished())} trials, all pruned or failed",
                expected="at least one complete trial",
                hint="`tlsearch trials` shows why they ended; a larger budget: budget.trials=...",
            )
        return best

    def rival(self) -> FrozenTrial | None:
        """What the champion is compared with, if any: see `leaderboard.rival`."""
        return rival(self.trials(), self._sweep.objective)

    def choose(self, number: int | None) -> FrozenTrial:
        """The trial of this number, which must have weights; None is the champion.

        Raises:
            UsageError: there is no such trial.
        """
        if number is None:
            return self.champion()
        done = {t.number: t for t in self.finished() if t.state is not TrialState.FAIL}
        if number not in done:
            raise UsageError(
                f"trial {number} cannot be exported",
                received=f"--trial {number}",
                expected=f"one of the trials with a result: {sorted(done)}",
                hint="`tlsearch trials` lists them",
            )
        return done[number]

    def configuration_of(self, trial: FrozenTrial) -> Configuration:
        """What a finished trial was trained with."""
        return sample(self.sweep.space, trial)

    def may_prune(self, epoch: int) -> bool:
        """Whether `report` can be True after this epoch."""
        return self._sweep.search.pruner != "none" and epoch >= first_verdict(self._sweep)

    def reached(self, trial: Trial) -> int:
        """The last epoch of a trial that was reported, whoever trained it; 0 before the first."""
        return max(self._reported.get(trial.number, ()), default=0)

    def report(self, trial: Trial, epoch: int, value: float) -> bool:
        """Report an epoch's objective; True if the trial should be pruned.

        A trial that runs again after a crash has reported its first epochs already.

        Raises:
            TrialTakenOver: another supervisor has it now.
        """
        if self.crew.is_remote and not self._claims.owns(trial):
            raise TrialTakenOver
        reported = self._reported.setdefault(trial.number, set())
        if epoch not in reported:
            try:
                trial.report(value, epoch)
            except UpdateFinishedTrialError:
                raise TrialTakenOver from None
            reported.add(epoch)
        return self.may_prune(epoch) and trial.should_prune()

    def tell(
        self, trial: Trial, state: TrialState, value: float | None, facts: Mapping[str, Any]
    ) -> FrozenTrial:
        """End a trial. `facts` become one of its user attributes: each is a transaction.

        Raises:
            TrialTakenOver: another supervisor has it now; nothing was told.
        """
        self._reported.pop(trial.number, None)
        with self._turn.hold():
            if not self._claims.owns(trial):
                raise TrialTakenOver
            trial.set_user_attr(RESULT, dict(facts))
            return self._study.tell(trial, value if state is TrialState.COMPLETE else None, state)

    def note_time(self) -> None:
        """Count the time until now as searched, from the first call on."""
        self.crew.note_time()

    def seconds(self) -> float:
        """How long the search has run: what several have searched at the same time counts once."""
        return float(self._study.user_attrs.get(SECONDS, 0.0)) + self.crew.seconds()

    def hold_dataset(self, digest: str) -> None:
        """Refuse photos other than those that the study's trials were trained on."""
        with self._turn.hold():
            before = self._study.user_attrs.get(DATASET)
            if before is None:
                self._study.set_user_attr(DATASET, digest)
        if before not in (None, digest):
            raise StudyMismatchError(
                f"the photos are not those that the study {self._sweep.name!r} was made with",
                received=f"a data set with digest {digest[:12]}",
                expected=f"digest {before[:12]}",
                hint=_START_OVER,
            )

    def _hold_against(self, wanted: dict[str, Any]) -> None:
        stored = self._study.user_attrs.get(DEFINITION)
        if stored is None:
            self._study.set_user_attr(DEFINITION, json.dumps(wanted))
            return
        changes = differences(completed(json.loads(stored)), json.loads(json.dumps(wanted)))
        if changes:
            raise StudyMismatchError(
                f"the study {self._sweep.name!r} was made by a different sweep:\n  "
                + "\n  ".join(changes),
                hint=_START_OVER,
            )


def _refuse_while_others_run(
    storage: optuna.storages.BaseStorage, place: StudyPlace, turn: Turn, paths: Paths
) -> None:
    if place.name not in optuna.study.get_all_study_names(storage):
        return
    study = optuna.load_study(study_name=place.name, storage=storage)
    others = Crew(study, turn, place.locks, paths.home).others()
    if others:
        raise UsageError(
            f"the study {place.name!r} cannot be set aside: others are at work on it",
            received=f"--new beside {', '.join(map(str, others.values()))}",
            expected="no other `tlsearch run` of this sweep",
            hint="stop them with Ctrl-C, wait for them, or join them: leave --new out",
        )


_START_OVER = (
    "run it with --new to start over (the old study is kept under another name), "
    "or give the sweep another name: name=..."
)
