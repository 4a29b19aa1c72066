"""The Optuna study of a sweep: opened, continued, asked and told, by the supervisor alone."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from tlsearch.config.configuration import Configuration
from tlsearch.config.difference import differences
from tlsearch.config.schema import Sweep
from tlsearch.errors import NoResultError, StudyMismatchError, UsageError
from tlsearch.paths import Paths
from tlsearch.search.definition import completed, definition
from tlsearch.search.leaderboard import RESULT, champion, rival
from tlsearch.search.sampling import first_verdict, pruner, sampler
from tlsearch.search.screened import ScreeningResult
from tlsearch.search.space import fixed, sample
from tlsearch.search.storage import open_storage, set_aside

DEFINITION, DATASET, SECONDS = "tlsearch.definition", "tlsearch.dataset", "tlsearch.seconds"
DELIVERED, RUN, TEST = "tlsearch.delivered", "tlsearch.run", "tlsearch.test"
SCREENING = "tlsearch.screening"
ENQUEUED = "enqueued"
"""The user attribute of a trial that was enqueued: with which parameters."""

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


class SweepStudy:
    """One sweep's study. A trial is RUNNING from when it is asked until it is told.

    A trial that a killed supervisor left RUNNING keeps its number and parameters and is given
    out again by `leftovers`.
    """

    def __init__(self, study: optuna.Study, sweep: Sweep) -> None:
        self._study = study
        self._sweep = sweep
        self._seconds = float(study.user_attrs.get(SECONDS, 0.0))
        self._reported: dict[int, set[int]] = {}
        screened = study.user_attrs.get(SCREENING)
        self._screening = ScreeningResult.from_dict(screened) if screened else None

    @classmethod
    def open(cls, sweep: Sweep, paths: Paths, *, new: bool = False) -> SweepStudy:
        """The study of this sweep, made if there is none; with `new`, the old one is set aside.

        Raises:
            StudyMismatchError: the study on disk was made by a different sweep.
            SetupError: the database cannot be used.
        """
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        storage = open_storage(sweep, paths)
        if new:
            set_aside(sweep.name, storage)
        study = optuna.create_study(
            study_name=sweep.name,
            storage=storage,
            direction=sweep.objective.direction,
            pruner=pruner(sweep),
            load_if_exists=True,
        )
        opened = cls(study, sweep)
        opened._hold_against(definition(sweep))
        return opened

    @classmethod
    def find(cls, sweep: Sweep, paths: Paths) -> SweepStudy | None:
        """The study of this sweep if there is one; makes nothing.

        Raises:
            StudyMismatchError: the study on disk was made by a different sweep.
        """
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        if sweep.search.storage is None and not paths.optuna_db.is_file():
            return None
        storage = open_storage(sweep, paths)
        if sweep.name not in optuna.study.get_all_study_names(storage):
            return None
        found = cls(optuna.load_study(study_name=sweep.name, storage=storage), sweep)
        found._hold_against(definition(sweep))
        return found

    @property
    def screening(self) -> ScreeningResult | None:
        """What was found before the first trial; None where nothing was screened."""
        return self._screening

    def note_screening(self, result: ScreeningResult) -> None:
        """Narrow the space to the backbones that are kept, for the life of the study."""
        self._study.set_user_attr(SCREENING, result.as_dict())
        self._screening = result

    @property
    def sweep(self) -> Sweep:
        """The sweep, its space as narrowed by screening."""
        return self._screening.narrow(self._sweep) if self._screening else self._sweep

    def trials(self) -> list[FrozenTrial]:
        """All that have begun."""
        return [trial for trial in self._all() if trial.state is not TrialState.WAITING]

    def _all(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def finished(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=FINISHED)

    def leftovers(self) -> list[Trial]:
        """Trials that were asked and never told.

        One that was killed before it had all its parameters is given those it would have had.
        """
        running = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        found = []
        for trial in running:
            self._study.sampler = sampler(self._sweep, trial.number)
            self._reported[trial.number] = set(trial.intermediate_values)
            found.append(Trial(self._study, trial._trial_id))
        return found

    def is_spent(self, active: int = 0) -> bool:
        """Whether the sweep's budget is used up by what has ended and `active` other trials."""
        hours = self._sweep.budget.hours
        if hours is not None and self.seconds() >= hours * 3600:
            return True
        return len(self.finished()) + active >= self._sweep.budget.trials

    def ask(self) -> Trial:
        """The next trial.

        The sampler is made anew from the seed and the trial's number, so that a sweep that was
        interrupted proposes what an undisturbed one would have.
        """
        known = self._all()
        waiting = [trial.number for trial in known if trial.state is TrialState.WAITING]
        self._study.sampler = sampler(self._sweep, waiting[0] if waiting else len(known))
        return self._study.ask()

    def enqueue(self, given: Iterable[Mapping[str, Any]]) -> None:
        """Have these parameters tried next, in order, each once in the life of the study.

        Args:
            given: as tables show them; what a trial leaves out is sampled.
        """
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

    def delivered(self) -> int | None:
        """The number of the champion whose bundle and registration are complete."""
        return self._study.user_attrs.get(DELIVERED)

    def note_delivery(self, number: int) -> None:
        self._study.set_user_attr(DELIVERED, number)

    def test_of(self, number: int) -> dict[str, float] | None:
        """The metrics of a trial on the test split, if it was judged there."""
        return self._study.user_attrs.get(f"{TEST}.{number}")

    def note_test(self, number: int, metrics: Mapping[str, float]) -> None:
        """Keep them; with the study, because Optuna lets no finished trial change."""
        self._study.set_user_attr(f"{TEST}.{number}", dict(metrics))

    def run_of(self, number: int | None) -> str | None:
        """The tracker's run of a trial, or with None the sweep's own."""
        return self._study.user_attrs.get(_run_key(number))

    def runs(self) -> dict[int, str]:
        """The tracker's runs of all trials that have one."""
        prefix = _run_key(0).removesuffix("0")
        known = self._study.user_attrs.items()
        return {int(key.removeprefix(prefix)): run for key, run in known if key.startswith(prefix)}

    def note_run(self, number: int | None, run: str) -> None:
        self._study.set_user_attr(_run_key(number), run)

    def configuration_of(self, trial: FrozenTrial) -> Configuration:
        """What a finished trial was trained with."""
        return sample(self.sweep.space, trial)

    def may_prune(self, epoch: int) -> bool:
        """Whether `report` can be True after this epoch."""
        return self._sweep.search.pruner != "none" and epoch >= first_verdict(self._sweep)

    def report(self, trial: Trial, epoch: int, value: float) -> bool:
        """Report an epoch's objective; True if the trial should be pruned.

        A trial that runs again after a crash has reported its first epochs already.
        """
        reported = self._reported.setdefault(trial.number, set())
        if epoch not in reported:
            trial.report(value, epoch)
            reported.add(epoch)
        return self.may_prune(epoch) and trial.should_prune()

    def tell(
        self, trial: Trial, state: TrialState, value: float | None, facts: Mapping[str, Any]
    ) -> FrozenTrial:
        """End a trial. `facts` become one of its user attributes: each is a transaction."""
        trial.set_user_attr(RESULT, dict(facts))
        self._reported.pop(trial.number, None)
        return self._study.tell(trial, value if state is TrialState.COMPLETE else None, state)

    def seconds(self) -> float:
        """How long the search has run, over all its runs."""
        return self._seconds

    def add_seconds(self, seconds: float) -> None:
        self._seconds += seconds
        self._study.set_user_attr(SECONDS, self._seconds)

    def hold_dataset(self, digest: str) -> None:
        """Refuse photos other than those that the study's trials were trained on."""
        before = self._study.user_attrs.get(DATASET)
        if before not in (None, digest):
            raise StudyMismatchError(
                f"the photos are not those that the study {self._sweep.name!r} was made with",
                received=f"a data set with digest {digest[:12]}",
                expected=f"digest {before[:12]}",
                hint=_START_OVER,
            )
        self._study.set_user_attr(DATASET, digest)

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


def _run_key(number: int | None) -> str:
    return RUN if number is None else f"{RUN}.{number}"


_START_OVER = (
    "run it with --new to start over (the old study is kept under another name), "
    "or give the sweep another name: name=..."
)
