"""The end of a sweep: its champion is delivered once, by one supervisor, in one home."""

from __future__ import annotations

from optuna.trial import FrozenTrial

from tlsearch.config.schema import Sweep
from tlsearch.errors import NoResultError
from tlsearch.execution.executor import Executor
from tlsearch.execution.notices import Notice, Notify
from tlsearch.paths import SweepPaths
from tlsearch.search.active import PARTS
from tlsearch.search.again import train_again
from tlsearch.search.claims import OWNER
from tlsearch.search.delivery import Delivery
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
        """Whether the bundle of the study's champion lies here, or in another home."""
        if self._study.delivered() != self._study.champion().number:
            return False
        return self.elsewhere() is not None or self._folder.bundle.is_dir()

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
    ) -> int:
        """Export, judge and register the champion; its number.

        Args:
            make_job: for a trial whose weights are out of reach and have to be learned again.
            executor: an idle one.
        """
        best = self._study.champion()
        self._notify(Notice("champion", row(best)))
        configuration = self._study.configuration_of(best)
        self._bring_weights(best, make_job, executor)
        recorder.drain()
        run = self._study.run_of(best.number)
        result = delivery.find(best.number, self._folder.bundle, run) or delivery.export(
            best.number,
            configuration,
            self._folder.bundle,
            executor=executor,
            judge=True,
            run=run,
        )
        if result.test is not None:
            self._study.note_test(best.number, result.test)
        rival = self._judge_rival(delivery, make_job, recorder, executor)
        if self._study.errands.are_mine(ERRAND):
            delivery.register(best.number, result, recorder, rival)
        recorder.drain()
        return best.number

    def _judge_rival(
        self, delivery: Delivery, make_job: MakeJob, recorder: Recorder, executor: Executor
    ) -> int | None:
        """Judge the champion's rival too, unless that was done; its number.

        The champion is delivered even where its rival cannot be judged.
        """
        rival = self._study.rival()
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
