"""What Optuna knows and the tracker does not, when a sweep begins again.

The spool has all that a killed process wrote down. What a machine that stopped has not brought to
its disk is told from the study and the trials' folders; nothing here is told twice, because the
tracker compares.
"""

from __future__ import annotations

from collections.abc import Iterator

from optuna.trial import FrozenTrial, TrialState

from tlsearch.config.schema import Sweep
from tlsearch.paths import SweepPaths
from tlsearch.search.claims import OWNER
from tlsearch.search.leaderboard import facts
from tlsearch.search.recorder import finite
from tlsearch.search.study import SweepStudy
from tlsearch.tracking import tracker as tracking
from tlsearch.tracking.entries import name_nested
from tlsearch.tracking.records import AnyRecord, EpochDone, TrialEnded, TrialStarted
from tlsearch.tracking.spool import Spool, spools_of
from tlsearch.tracking.tracker import TrackedTrial, Tracker
from tlsearch.training.trained import TrainedTrial

STATES: dict[TrialState, tracking.TrialState] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}

NOBODY = "the sweep started again and nobody trains this trial any more"


class Reconciliation:
    """Compares the study, as it is now, with the tracker, once that can be asked.

    Trials that other living supervisors have or had are theirs to tell of.

    Args:
        spool: what is lacking is written down there.
        began: when this supervisor began, in seconds since 1970.
    """

    def __init__(
        self, sweep: Sweep, study: SweepStudy, folder: SweepPaths, spool: Spool, began: float
    ) -> None:
        self._sweep = sweep
        self._folder = folder
        self._study = study.key
        self._spool = spool
        self._began = began
        others = study.crew.others()
        self._trials = [t for t in study.trials() if t.user_attrs.get(OWNER) not in others]

    def __call__(self, tracker: Tracker, parent: str) -> None:
        """Write down what the tracker lacks.

        Raises:
            TrackingError: the store fails.
        """
        tracked = tracker.trials(parent)
        elsewhere = self._told_elsewhere()
        for trial in self._trials:
            if trial.number not in elsewhere:
                for record in self._lacking(trial, tracked.get(trial.number)):
                    self._spool.append(record)

    def _lacking(self, trial: FrozenTrial, known: TrackedTrial | None) -> Iterator[AnyRecord]:
        state = STATES.get(trial.state)
        if state is not None:
            if known is None or known.is_running or known.state != state:
                yield from self._history(trial, state)
        elif known is not None and known.is_running:
            yield TrialEnded(trial=trial.number, state="interrupted", reason=NOBODY, at=self._began)

    def _history(self, trial: FrozenTrial, state: tracking.TrialState) -> Iterator[AnyRecord]:
        """A finished trial from its beginning. When its epochs ended is not kept: they are spread
        evenly, always in the same way."""
        known = facts(trial)
        begin, end = _moments(trial, self._began)
        settings = name_nested({"train": self._sweep.train.model_dump()})
        parameters = {**known.get("configuration", trial.params), **settings}
        tags = {"tlsearch.attempt": str(known.get("attempts", 1))}
        number = trial.number
        yield TrialStarted(trial=number, parameters=parameters, tags=tags, at=begin)
        epochs = self._epochs(trial)
        for epoch, metrics in epochs.items():
            at = begin + (end - begin) * epoch / max(epochs)
            yield EpochDone(trial=number, epoch=epoch, metrics=metrics, at=at)
        reason = f"{known.get('failure')}: {known.get('reason')}" if state == "failed" else None
        yield TrialEnded(trial=number, state=state, reason=reason, metrics=_metrics(known), at=end)

    def _epochs(self, trial: FrozenTrial) -> dict[int, dict[str, float]]:
        """All that its folder has of each epoch; else the objective, which the study has."""
        trained = TrainedTrial(self._folder.trial(trial.number), self._study)
        if trained.is_whole:
            rows = trained.history().to_dict(orient="records")
            return {int(row.pop("epoch")): _finite(row) for row in rows}
        metric = self._sweep.objective.metric
        values = sorted(trial.intermediate_values.items())
        return {epoch: _finite({metric: value}) for epoch, value in values}

    def _told_elsewhere(self) -> set[int]:
        """Trials of which other spools tell."""
        known = spools_of(self._folder.spool, self._study)
        files = [one for one in known if one.path != self._spool.file]
        return {
            one.trial
            for file in files
            for one in file.all()
            if isinstance(one, TrialStarted | TrialEnded)
        }


def _moments(trial: FrozenTrial, otherwise: float) -> tuple[float, float]:
    begin, end = trial.datetime_start, trial.datetime_complete
    return (
        begin.timestamp() if begin else otherwise,
        end.timestamp() if end else otherwise,
    )


def _metrics(known: dict[str, object]) -> dict[str, float]:
    """Those of the whole trial, as the recorder has them told when it ends."""
    best = known.get("metrics")
    metrics = dict(best) if isinstance(best, dict) else {}
    found = {f"best_{name}": value for name, value in metrics.items()}
    names = ("seconds", "photos_per_second", "total_parameters", "trainable_parameters")
    return _finite({**found, **{name: known[name] for name in names if name in known}})


def _finite(metrics: dict[str, object]) -> dict[str, float]:
    numbers = {name: float(v) for name, v in metrics.items() if isinstance(v, int | float)}
    return finite(numbers)
