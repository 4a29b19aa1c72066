"""What happens reaches the tracker in order, and a lost tracker stops nothing."""

from __future__ import annotations

import math
import threading
from pathlib import Path

import pytest
from tiny_tracker import ListTracker, LostTracker, TinyReports

from tlsearch.config.configuration import Configuration
from tlsearch.config.schema import BackboneChoice
from tlsearch.errors import NoResultError
from tlsearch.search.recorder import Recorder
from tlsearch.training.job import TrialResult

CONFIGURATION = Configuration(backbone=BackboneChoice(name="MobileNet"), image_size=32)
RESULT = TrialResult("complete", 0.6, 2, 3, {"val_accuracy": 0.6}, 4.0, 50.0)


@pytest.fixture
def make(make_sweep):
    """Makes a recorder; its notices."""

    def made(tracker, reports=None):
        notices = []
        recorder = Recorder(tracker, make_sweep(), reports or TinyReports(), notices.append)
        recorder.open(lambda: "parent", lambda number, run: None)
        return recorder, notices

    return made


def _record(recorder, number=0, result=RESULT, seconds=0.01):
    recorder.start(number, CONFIGURATION, 1)
    recorder.describe(number, {"total_parameters": 10})
    for epoch in (1, 2):
        recorder.epoch(number, epoch, {"loss": 1 / epoch, "val_loss": math.nan}, seconds)
    recorder.finish(number, result)


def test_parameters_metrics_and_report_of_a_trial(make):
    tracker = ListTracker()
    recorder, notices = make(tracker)
    _record(recorder)
    recorder.close()
    start = next(call for call in tracker.calls if call[0] == "start_trial")
    assert start[1:3] == ("parent", 0)
    assert start[3]["backbone"] == "MobileNet"
    assert start[3]["train.epochs"] == 20
    assert start[3]["train.early_stopping.patience"] == 4
    assert start[4] == {"tlsearch.attempt": "1"}
    assert tracker.metrics["run-0"] == {
        "total_parameters": 10.0,
        "best_val_accuracy": 0.6,
        "seconds": 4.0,
        "photos_per_second": 50.0,
    }
    assert ("log_artifacts", "run-0", Path("report-0"), None) in tracker.calls
    assert tracker.states() == {"run-0": "complete"}
    assert notices == []


def test_what_is_not_finite_is_left_out(make):
    tracker = ListTracker()
    recorder, _ = make(tracker)
    _record(recorder)
    recorder.close()
    assert tracker.steps("run-0", "loss") == [(1, 1.0), (2, 0.5)]
    assert tracker.steps("run-0", "val_loss") == []


@pytest.mark.parametrize("state", ["pruned", "interrupted"])
def test_only_a_complete_trial_has_a_report(make, state):
    tracker = ListTracker()
    recorder, _ = make(tracker)
    _record(recorder, result=TrialResult(state, 0.6, 1, 1, {}, 1.0, 1.0))
    recorder.close()
    assert not any(call[0] == "log_artifacts" for call in tracker.calls)
    assert tracker.states() == {"run-0": state}


@pytest.mark.parametrize("answers", [0, 1, 3])
def test_a_lost_tracker_is_told_once_and_stops_nothing(make, answers):
    tracker = LostTracker(answers)
    recorder, notices = make(tracker)
    for number in range(3):
        _record(recorder, number)
    recorder.drain()
    recorder.close()
    assert [notice.event for notice in notices] == ["warning"]
    assert "the store does not answer" in notices[0].data["text"]


def test_recording_waits_for_nothing(make):
    opened = threading.Event()
    tracker = ListTracker()

    class Slow(ListTracker):
        def start_trial(self, *arguments):
            assert opened.wait(60)
            return tracker.start_trial(*arguments)

    recorder, _ = make(Slow())
    recorder.start(0, CONFIGURATION, 1)
    assert tracker.states() == {}
    opened.set()
    recorder.drain()
    assert tracker.states() == {"run-0": "running"}
    recorder.close()


def test_an_error_of_our_own_is_not_swallowed(make):
    recorder, _ = make(ListTracker(), TinyReports(ZeroDivisionError()))
    _record(recorder)
    with pytest.raises(ZeroDivisionError):
        recorder.close()


def test_a_report_that_cannot_be_written_is_a_warning(make):
    tracker, reports = ListTracker(), TinyReports(NoResultError("no report"))
    recorder, notices = make(tracker, reports)
    _record(recorder)
    recorder.close()
    assert [notice.event for notice in notices] == ["warning"]
    assert tracker.states() == {"run-0": "complete"}
    assert reports.tracked == []


def test_quick_epochs_are_logged_together_and_slow_ones_at_once(make):
    tracker = ListTracker()
    recorder, _ = make(tracker)
    for number, seconds in enumerate((0.01, 5.0)):
        _record(recorder, number, seconds=seconds)
    recorder.close()
    calls = [(call[1], call[2]) for call in tracker.calls if call[0] == "log_epochs"]
    assert calls == [("run-0", [1, 2]), ("run-1", [1]), ("run-1", [2]), ("run-1", [])]
    assert tracker.steps("run-0", "epoch_seconds") == [(1, 0.01), (2, 0.01)]


def test_metrics_do_not_wait_for_reports(make):
    tracker, reports = ListTracker(), TinyReports()
    reports.may_write.clear()
    recorder, _ = make(tracker, reports)
    for number in range(3):
        _record(recorder, number)
    recorder.drain()
    assert set(tracker.states().values()) == {"complete"}
    assert reports.tracked == []
    reports.may_write.set()
    recorder.close()
    assert reports.tracked == [(number, f"run-{number}") for number in range(3)]


def test_reports_that_are_given_up_are_not_noted(make):
    reports = TinyReports()
    reports.may_write.clear()
    recorder, _ = make(ListTracker(), reports)
    for number in range(3):
        _record(recorder, number)
    recorder.drain()
    recorder.give_up_reports()
    reports.may_write.set()
    recorder.close()
    assert [number for number, _ in reports.tracked] in ([0], [])


def test_a_report_that_an_earlier_process_owes(make):
    tracker, reports = ListTracker(), TinyReports()
    recorder, _ = make(tracker, reports)
    recorder.report(3, CONFIGURATION, "old-run")
    recorder.close()
    assert ("log_artifacts", "old-run", Path("report-3"), None) in tracker.calls
    assert reports.tracked == [(3, "old-run")]
