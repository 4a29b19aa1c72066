"""What happens reaches the tracker in order, and a lost tracker stops nothing."""

from __future__ import annotations

import math
import threading

import pytest
from tiny_jobs import wait_until
from tiny_tracker import ListTracker, LostTracker, TinyReports, make_recorder

from tlsearch.config.configuration import Configuration
from tlsearch.config.schema import BackboneChoice
from tlsearch.errors import NoResultError
from tlsearch.training.job import TrialResult

CONFIGURATION = Configuration(backbone=BackboneChoice(name="MobileNet"), image_size=32)
RESULT = TrialResult("complete", 0.6, 2, 3, {"val_accuracy": 0.6}, 4.0, 50.0)


@pytest.fixture
def make(make_sweep, tmp_path):
    """Makes a recorder; its notices."""

    def made(tracker, reports=None):
        notices = []
        reports = reports or TinyReports(tmp_path)
        return make_recorder(tracker, make_sweep(), reports, notices.append), notices

    return made


def _record(recorder, number=0, result=RESULT, seconds=0.01):
    recorder.start(number, CONFIGURATION, 1)
    recorder.describe(number, {"total_parameters": 10})
    for epoch in (1, 2):
        recorder.epoch(number, epoch, {"loss": 1 / epoch, "val_loss": math.nan}, seconds)
    recorder.finish(number, result)


def test_parameters_metrics_and_report_of_a_trial(make, tmp_path):
    tracker = ListTracker()
    recorder, notices = make(tracker)
    _record(recorder)
    recorder.close()
    start = next(call for call in tracker.calls if call[0] == "start_trial")
    assert start[1:3] == ("parent", 0)
    assert start[3]["backbone"] == "MobileNet"
    assert start[3]["train.epochs"] == 20
    assert start[3]["train.early_stopping.patience"] == 4
    assert start[4]["tlsearch.attempt"] == "1"
    assert tracker.metrics["run-0"] == {
        "total_parameters": 10.0,
        "best_val_accuracy": 0.6,
        "seconds": 4.0,
        "photos_per_second": 50.0,
    }
    assert ("log_artifacts", "run-0", tmp_path / "report-0", None) in tracker.calls
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


@pytest.mark.parametrize("answers", [0, 1, 4])
def test_a_tracker_that_is_lost_for_a_while_is_told_all(make, monkeypatch, answers):
    monkeypatch.setattr("tlsearch.tracking.replayer.PAUSES", (0.02, 0.02))
    tracker = LostTracker(answers)
    recorder, notices = make(tracker)
    for number in range(3):
        _record(recorder, number)
    assert wait_until(lambda: tracker.asked > answers + 3)
    recorder.drain()
    assert [notice.event for notice in notices] == ["warning"]
    assert "the store does not answer" in notices[0].data["text"]
    tracker.is_back.set()
    recorder.close()
    assert [notice.event for notice in notices] == ["warning", "tracking_back"]
    assert set(tracker.states().values()) == {"complete"}
    assert len(tracker.states()) == 3


def test_a_tracker_that_stays_away_stops_nothing(make, monkeypatch):
    monkeypatch.setattr("tlsearch.tracking.replayer.FAREWELL", 0.1)
    recorder, notices = make(LostTracker())
    _record(recorder)
    recorder.close()
    assert [notice.event for notice in notices] == ["warning"]
    assert _has_ended(recorder)


def _has_ended(recorder):
    """Whether its thread tells nothing more, though not everything is told."""
    return wait_until(lambda: not recorder._replayer._thread.is_alive())


def test_who_does_not_wait_tells_nothing_more(make):
    recorder, _ = make(LostTracker())
    _record(recorder)
    recorder.close(wait=False)
    assert _has_ended(recorder)


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


def test_an_error_of_our_own_is_not_swallowed(make, tmp_path):
    recorder, _ = make(ListTracker(), TinyReports(tmp_path, ZeroDivisionError()))
    _record(recorder)
    with pytest.raises(ZeroDivisionError):
        recorder.close()


def test_a_report_that_cannot_be_written_is_a_warning(make, tmp_path):
    tracker, reports = ListTracker(), TinyReports(tmp_path, NoResultError("no report"))
    recorder, notices = make(tracker, reports)
    _record(recorder)
    recorder.close()
    assert [notice.event for notice in notices] == ["warning"]
    assert tracker.states() == {"run-0": "complete"}
    assert reports.tracked() == {}


def test_quick_epochs_are_logged_together(make):
    tracker = ListTracker()
    recorder, _ = make(tracker)
    _record(recorder)
    recorder.close()
    calls = [call[2] for call in tracker.calls if call[0] == "log_epochs" and call[2]]
    assert calls in ([[1, 2]], [[1], [2]])
    assert tracker.steps("run-0", "epoch_seconds") == [(1, 0.01), (2, 0.01)]


def test_metrics_do_not_wait_for_reports(make, tmp_path):
    tracker, reports = ListTracker(), TinyReports(tmp_path)
    reports.may_write.clear()
    recorder, _ = make(tracker, reports)
    for number in range(3):
        _record(recorder, number)
    recorder.drain()
    assert set(tracker.states().values()) == {"complete"}
    assert reports.tracked() == {}
    reports.may_write.set()
    recorder.close()
    assert reports.tracked() == {number: f"run-{number}" for number in range(3)}


def test_reports_that_are_given_up_are_not_noted(make, tmp_path):
    reports = TinyReports(tmp_path)
    reports.may_write.clear()
    recorder, _ = make(ListTracker(), reports)
    for number in range(3):
        _record(recorder, number)
    recorder.drain()
    recorder.give_up_reports()
    reports.may_write.set()
    recorder.close()
    assert set(reports.tracked()) <= {0}


def test_a_report_that_an_earlier_process_owes(make, tmp_path):
    tracker, reports = ListTracker(), TinyReports(tmp_path)
    tracker.runs["run-3"] = "complete"
    recorder, _ = make(tracker, reports)
    recorder.report(3, CONFIGURATION)
    recorder.close()
    assert ("log_artifacts", "run-3", tmp_path / "report-3", None) in tracker.calls
    assert reports.tracked() == {3: "run-3"}
