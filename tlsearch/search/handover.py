"""The end of a sweep: its champion is delivered once, by one supervisor, in one home."""

from __future__ import annotations

from optuna.trial import FrozenTrial

from tlsearch.config.schema import Sweep
from tlsearch.errors import NoResultError
from tlsearch.execution.executor import Executor
from tlsearch.execution.notices import Notice, Notify
from tlsearch.export.job import ExportResult
from tlsearch.paths import SweepPaths
from tlsearch.search.active import PARTS
from tlsearch.search.again import train_again
from tlsearch.search.claims import OWNER
from tlsearch.search.delivery import Delivery, end_run
from tlsearch.search.jobs import MakeJob
from tlsearch.search.leaderboard import row
from tlsearch.search.notes import DeliveryPlace
from tlsearch.search.recorder import Recorder
from tlsearch.search.study import SweepStudy
from tlsearch.training.trained import TrainedTrial

ERRAND = "delivery"


class Handover:
    """What is left to do once a sweep's search is over, as one supervisor sees it."""

    def __init__(self, sweep: Sweep, folder: SweepPaths, study: SweepStudy, notify: Notify) -> None:
        self._sweep = sweep
        self._folder = folder
        self._study = study
        self._notify = notify

    def is_done(self) -> bool:
        """Whether the bundle of the study's champion lies here, compared with its rival of now, or
        in another home: there it is left as it is, with the rival that it had."""
        if self._study.delivered() != self._study.champion().number:
            return False
        if self.elsewhere() is not None:
            return True
        return self._folder.bundle.is_dir() and self._study.was_compared_with(self._rival())

    def elsewhere(self) -> DeliveryPlace | None:
        """Where the bundle lies, if that is another home, and not known to be gone from it."""
        place = self._study.delivery_place()
        if place is None or place.is_at(self._folder.bundle) or place.is_gone:
            return None
        return place

    def is_for_me(self) -> bool:
        """Whether the champion's weights are here, or nobody is left who has them."""
        best = self._study.champion()
        return self._has_weights(best.number) or not self._study.crew.has_neighbour_of(
            best.user_attrs.get(OWNER)
        )

    def carry_out(
        self, delivery: Delivery, make_job: MakeJob, recorder: Recorder, executor: Executor
    ) -> tuple[int, int | None]:
        """Export, judge and register the champion; its number, and that of its rival, if any.

        Args:
            make_job: for a trial whose weights are out of reach and have to be learned again.
            executor: an idle one.
        """
        best, rival = self._study.champion(), self._study.rival()
        self._notify(Notice("champion", row(best)))
        recorder.drain()
        result = self._bundle(best, delivery, make_job, executor)
        if result.test is not None:
            self._study.note_test(best.number, result.test)
        judged = self._judge(rival, delivery, make_job, recorder, executor)
        if self._study.errands.are_mine(ERRAND):
            delivery.register(best.number, result, recorder, judged)
        recorder.drain()
        return best.number, None if rival is None else rival.number

    def end_run(self, recorder: Recorder) -> None:
        """End the sweep's run of a champion that was delivered before, in the words of then.

        Two supervisors that come to their ends together both do so: each would leave it to the
        other, and twice changes nothing. Where a trial still runs, its supervisor will.
        """
        if not self._study.running():
            # Trials that the tracker has lost are told anew first, and are known to it then.
            recorder.drain()
            best, rival = self._study.champion().number, self._rival()
            is_judged = rival is not None and self._study.test_of(rival) is not None
            end_run(recorder, best, self._study.test_of(best), rival if is_judged else None)

    def _rival(self) -> int | None:
        rival = self._study.rival()
        return None if rival is None else rival.number

    def _bundle(
        self, best: FrozenTrial, delivery: Delivery, make_job: MakeJob, executor: Executor
    ) -> ExportResult:
        """The champion's bundle, as it lies here or exported now."""
        run = self._study.run_of(best.number)
        found = delivery.find(best.number, self._folder.bundle, run)
        if found is not None:
            return found
        self._bring_weights(best, make_job, executor)
        configuration, output = self._study.configuration_of(best), self._folder.bundle
        return delivery.export(
            best.number, configuration, output, executor=executor, judge=True, run=run
        )

    def _judge(
        self,
        rival: FrozenTrial | None,
        delivery: Delivery,
        make_job: MakeJob,
        recorder: Recorder,
        executor: Executor,
    ) -> int | None:
        """Judge the champion's rival too, unless that was done; its number.

        The champion is delivered even where its rival cannot be judged.
        """
        if rival is None:
            return None
        number = rival.number
        try:
            if (metrics := self._study.test_of(number)) is None:
                configuration = self._study.configuration_of(rival)
                self._bring_weights(rival, make_job, executor)
                metrics = delivery.judge(number, configuration, executor)
                self._study.note_test(number, metrics)
        except NoResultError as error:
            self._notify(Notice("warning", {"text": f"nothing is compared: {error}"}))
            return None
        delivery.record_test(number, metrics, recorder)
        return number

    def _bring_weights(self, trial: FrozenTrial, make_job: MakeJob, executor: Executor) -> None:
        """Train a trial again whose weights are in another home, and with nobody who lives."""
        if self._has_weights(trial.number):
            return
        self._notify(Notice("training_again", {"trial": trial.number}))
        configuration = self._study.configuration_of(trial)
        job = make_job(trial.number, configuration, int(trial.user_attrs.get(PARTS, 1)))
        value = train_again(job, executor)
        if value != trial.value:
            text = f"trial {trial.number}, trained again, gave {value} instead of {trial.value}"
            self._notify(Notice("warning", {"text": text}))

    def _has_weights(self, number: int) -> bool:
        return TrainedTrial(self._folder.trial(number), self._study.key).has_weights
