"""The search loop over real worker processes and a real study, with jobs of a few lines."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from optuna.trial import TrialState
from tiny_jobs import (
    Asks,
    Crawls,
    Dies,
    Fits,
    Freezes,
    Judges,
    Raises,
    Resumes,
    is_alive,
    local_executor,
)
from tiny_tracker import ListTracker, TinyReports, make_recorder

from tlsearch.errors import DataError, DiskError, NonFiniteLossError, NoResultError, WeightsError
from tlsearch.execution.signals import StopRequest
from tlsearch.search.leaderboard import facts
from tlsearch.search.study import SweepStudy
from tlsearch.search.supervisor import Supervisor


@pytest.fixture(scope="module")
def executors(tmp_path_factory):
    """Gives the executor with so many workers; tests share it, as sweeps do not."""
    made = {}

    def give(workers):
        if workers not in made:
            made[workers] = local_executor(tmp_path_factory.mktemp("logs"), workers)
        return made[workers]

    yield give
    for executor in made.values():
        executor.close()


@pytest.fixture
def search(paths, executors):
    """Runs a sweep with jobs that `make_job(number, configuration, parts)` makes.

    Returns the study, the notices and the tracker's runs. `watch` is told each notice.
    """

    def run(sweep, make_job, *, stop=None, watch=None, executor=None):
        notices = []

        def notify(notice):
            notices.append(notice)
            if watch is not None:
                watch(notice)

        study, tracker = SweepStudy.open(sweep, paths), ListTracker()
        reports = TinyReports(paths.sweep(sweep.name).folder)
        recorder = make_recorder(tracker, sweep, reports, notify, study.note_run)
        executor = executor or executors(sweep.execution.workers)
        supervisor = Supervisor(sweep, study, executor, make_job, recorder, notify)
        try:
            supervisor.search(StopRequest() if stop is None else stop)
        finally:
            recorder.close()
            study.leave()
        assert executor.running == frozenset()
        return study, notices, tracker

    return run


def _training(*values, **extra):
    return lambda number, *_: Asks(number, values, **extra)


def _states(study):
    return [trial.state for trial in study.trials()]


def _events(notices, *names):
    return [(notice.event, notice.data["trial"]) for notice in notices if notice.event in names]


def test_what_is_stored_is_said_once_for_each_cut_and_answer(search, make_sweep):
    first, later = (("pooled", True), ("low", False)), (("pooled", True), ("low", True))
    jobs = [first, first, later, later]
    _, notices, _ = search(
        make_sweep(), lambda number, *_: Judges(number, (0.5,), cuts=jobs[number])
    )
    told = [notice.data for notice in notices if notice.event == "storing"]
    assert [(one["cut"], one["stores"]) for one in told] == [*first, later[1]]
    assert told[0] == {
        "backbone": "MobileNet",
        "image_size": 96,
        "cut": "pooled",
        "stores": True,
        "bytes": 8,
        "why": "it pays",
    }


def test_runs_its_budget_and_no_trial_more(search, make_sweep):
    study, notices, tracker = search(make_sweep(), _training(0.2, 0.6))
    assert _states(study) == [TrialState.COMPLETE] * 4
    assert [trial.value for trial in study.trials()] == [0.6] * 4
    assert _events(notices, "trial_started", "trial_ended") == [
        (event, number) for number in range(4) for event in ("trial_started", "trial_ended")
    ]
    assert [trial.intermediate_values for trial in study.trials()] == [{1: 0.2, 2: 0.6}] * 4
    assert tracker.states() == {f"run-{number}": "complete" for number in range(4)}
    assert tracker.steps("run-0", "val_accuracy") == [(1, 0.2), (2, 0.6)]


def test_the_trial_keeps_what_it_was_and_how_it_went(search, make_sweep):
    study, notices, _ = search(make_sweep(budget={"trials": 1}), _training(0.2, 0.6, 0.5))
    (trial,) = study.trials()
    known = facts(trial)
    assert known["configuration"] == study.configuration_of(trial).flat()
    assert (known["best_value"], known["best_epoch"], known["epochs"]) == (0.6, 2, 3)
    assert (known["total_parameters"], known["trainable_parameters"]) == (10, 5)
    assert study.seconds() > 0
    ended = next(notice.data for notice in notices if notice.event == "trial_ended")
    assert (ended["state"], ended["value"], ended["epochs"]) == ("complete", 0.6, 3)


def test_every_slot_is_kept_busy(search, make_sweep):
    sweep = make_sweep(execution={"workers": 2})
    study, notices, _ = search(sweep, _training(0.2, 0.6))
    assert _states(study) == [TrialState.COMPLETE] * 4
    assert [n.event for n in notices if n.event.startswith("trial_")][:2] == ["trial_started"] * 2


def test_a_poor_trial_is_pruned(search, make_sweep):
    sweep = make_sweep(search={"pruner": "median"}, train={"head_epochs": 0}, budget={"trials": 7})

    def make_job(number, *_):
        return Asks(number, (0.9, 0.9, 0.9) if number < 6 else (0.1, 0.1, 0.1))

    study, _, tracker = search(sweep, make_job)
    assert _states(study) == [TrialState.COMPLETE] * 6 + [TrialState.PRUNED]
    assert study.champion().number < 6
    assert tracker.states()["run-6"] == "pruned"


def test_the_epochs_of_an_earlier_start_are_taken_in(search, make_sweep):
    """Once each, in the study and in the tracker, and said as what they are."""
    study, notices, tracker = search(
        make_sweep(), lambda number, *_: Resumes(number, (0.2, 0.6, 0.5), done=2)
    )
    assert _states(study) == [TrialState.COMPLETE] * 4
    for trial in study.trials():
        assert trial.intermediate_values == {1: 0.2, 2: 0.6, 3: 0.5}
        steps = tracker.steps(f"run-{trial.number}", "val_accuracy")
        assert steps == [(1, 0.2), (2, 0.6), (3, 0.5)]
    (resumed, *_) = [n.data for n in notices if n.event == "trial_resumed"]
    assert resumed == {"trial": 0, "epoch": 2}
    assert [n.data["epoch"] for n in notices if n.event == "epoch"] == [3] * 4
    (warning, *_) = [n.data["text"] for n in notices if n.event == "warning"]
    assert warning == "trial 0: a checkpoint was damaged"


def test_what_a_killed_supervisor_would_have_pruned_is_pruned(search, make_sweep):
    sweep = make_sweep(search={"pruner": "median"}, train={"head_epochs": 0}, budget={"trials": 7})

    def make_job(number, *_):
        return Asks(number, (0.9, 0.9)) if number < 6 else Resumes(number, (0.1, 0.1, 0.1))

    study, _, _ = search(sweep, make_job)
    assert _states(study) == [TrialState.COMPLETE] * 6 + [TrialState.PRUNED]
    assert study.trials()[6].intermediate_values == {1: 0.1}


def test_a_lost_worker_costs_a_start_and_not_the_trial(search, make_sweep, tmp_path):
    job = _training(0.2, 0.6, fatal_starts=2, folder=tmp_path)
    study, notices, tracker = search(make_sweep(budget={"trials": 1}), job)
    (trial,) = study.trials()
    assert (trial.state, trial.value) == (TrialState.COMPLETE, 0.6)
    assert trial.user_attrs["attempts"] == 1
    assert _events(notices, "trial_retried") == [("trial_retried", 0)] * 2
    assert tracker.states() == {"run-0": "complete"}


def test_a_trial_that_comes_an_epoch_further_each_time_is_started_as_often_as_it_takes(
    search, make_sweep, tmp_path
):
    """Three starts are lost where two are allowed, each after an epoch more."""
    sweep = make_sweep(budget={"trials": 1}, on_failure={"max_attempts": 2})
    values = (0.1, 0.2, 0.3, 0.4)

    def make_job(number, *_):
        return Crawls(number, values, folder=tmp_path)

    study, notices, _ = search(sweep, make_job)
    assert _states(study) == [TrialState.COMPLETE]
    assert len(_events(notices, "trial_retried")) == 3
    assert study.trials()[0].intermediate_values == dict(enumerate(values, start=1))


def test_a_worker_that_is_lost_each_time_ends_the_trial(search, make_sweep):
    sweep = make_sweep(budget={"trials": 2}, on_failure={"max_attempts": 2})

    def make_job(number, *_):
        return Dies(number) if number == 0 else Asks(number, (0.5,))

    study, _, tracker = search(sweep, make_job)
    failed, complete = study.trials()
    assert (failed.state, complete.state) == (TrialState.FAIL, TrialState.COMPLETE)
    assert facts(failed)["failure"] == "worker_lost"
    assert failed.user_attrs["attempts"] == 2
    assert tracker.states() == {"run-0": "failed", "run-1": "complete"}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NonFiniteLossError("the loss is nan in epoch 1"), "nan_loss"),
        (DataError("a photo is torn"), "unreadable_data"),
        (WeightsError("no weights"), "setup"),
        (RuntimeError("odd"), "error"),
    ],
    ids=["nan", "data", "setup", "other"],
)
def test_an_exception_ends_the_trial_at_once_with_its_reason(search, make_sweep, error, kind):
    sweep = make_sweep(budget={"trials": 2})

    def make_job(number, *_):
        return Raises(number, error) if number == 0 else Asks(number, (0.5,))

    study, notices, tracker = search(sweep, make_job)
    failed = study.trials()[0]
    assert failed.state is TrialState.FAIL
    assert facts(failed)["failure"] == kind
    assert str(error) in facts(failed)["reason"]
    assert _events(notices, "trial_retried") == []
    assert tracker.reasons["run-0"].startswith(f"{kind}: ")


def test_where_memory_runs_out_the_trial_goes_on_with_a_smaller_batch(search, make_sweep):
    sweep = make_sweep(budget={"trials": 2}, train={"batch_size": 20})

    def make_job(number, _, parts):
        return Fits(number, (0.2, 0.6), parts=parts, needed=4 if number == 0 else 1)

    study, notices, tracker = search(sweep, make_job)
    first, second = study.trials()
    assert _states(study) == [TrialState.COMPLETE] * 2
    assert first.user_attrs["attempts"] == 1
    assert (facts(first)["micro_batch"], facts(second).get("micro_batch")) == (5, None)
    halved = [notice.data for notice in notices if notice.event == "batch_halved"]
    assert [(one["parts"], one["micro_batch"], one["batch"]) for one in halved] == [
        (2, 10, 20),
        (4, 5, 20),
    ]
    assert "no room for 1/1" in halved[0]["reason"]
    assert halved[0]["log"]
    noted = [call[2] for call in tracker.calls if call[0] == "log_tags"]
    assert [one["tlsearch.micro_batch"] for one in noted] == ["10", "5"]
    assert _events(notices, "trial_retried") == []


def test_a_batch_of_one_photo_is_not_halved(search, make_sweep):
    sweep = make_sweep(budget={"trials": 1}, train={"batch_size": 3})
    study, notices, _ = search(sweep, lambda number, _, parts: Fits(number, (0.5,), needed=9))
    (trial,) = study.trials()
    assert facts(trial)["failure"] == "out_of_memory"
    assert facts(trial)["micro_batch"] == 1
    assert len(_events(notices, "batch_halved")) == 2


def test_halving_can_be_switched_off(search, make_sweep):
    settings = {"out_of_memory": "fail"}
    sweep = make_sweep(budget={"trials": 1}, on_failure=settings)
    study, notices, _ = search(sweep, lambda number, *_: Fits(number, (0.5,)))
    assert facts(study.trials()[0])["failure"] == "out_of_memory"
    assert _events(notices, "batch_halved") == []


def test_a_full_disk_stops_the_search_and_keeps_the_trial(search, make_sweep):
    sweep, full = make_sweep(budget={"trials": 2}), OSError(28, "No space left on device")
    with pytest.raises(DiskError, match="the disk is full") as caught:
        search(sweep, lambda number, *_: Raises(number, full))
    assert "No space left" in caught.value.received
    study, *_ = search(sweep, _training(0.5))
    assert _states(study) == [TrialState.COMPLETE] * 2
    assert [trial.user_attrs["attempts"] for trial in study.trials()] == [1, 1]


def test_photos_that_can_no_longer_be_decoded_fail_the_trial(search, make_sweep):
    def make_job(number, *_):
        if number == 0:
            raise DataError("3 photos can no longer be read")
        return Asks(number, (0.5,))

    study, _, _ = search(make_sweep(budget={"trials": 2}), make_job)
    assert _states(study) == [TrialState.FAIL, TrialState.COMPLETE]
    assert facts(study.trials()[0])["failure"] == "unreadable_data"


def test_trials_that_cannot_even_be_started_break_the_circuit_too(search, make_sweep):
    def make_job(number, *_):
        raise DataError(f"no photos for trial {number}")

    sweep = make_sweep(budget={"trials": 9}, on_failure={"max_consecutive": 2})
    with pytest.raises(NoResultError, match="the last 2 trials failed") as caught:
        search(sweep, make_job)
    assert caught.value.received == "unreadable_data: no photos for trial 1"


def test_a_failed_trial_names_its_log(search, make_sweep):
    study, notices, _ = search(
        make_sweep(budget={"trials": 1}), lambda number, *_: Raises(number, KeyError("x"))
    )
    (ended,) = [notice.data for notice in notices if notice.event == "trial_ended"]
    assert ended["log"] == facts(study.trials()[0])["log"]
    assert "KeyError" in Path(ended["log"]).read_text()


def test_what_a_stopped_worker_would_have_done_counts_once(search, make_sweep, tmp_path):
    executor = local_executor(tmp_path / "logs", timeout=6)

    def make_job(number, *_):
        job = Freezes if number == 0 else Asks
        return job(number, (0.2, 0.6, 0.4), folder=tmp_path)

    try:
        sweep = make_sweep(budget={"trials": 2})
        study, notices, _ = search(sweep, make_job, executor=executor)
    finally:
        executor.close()
    pid = int((tmp_path / "frozen-0").read_text())
    assert not is_alive(pid)
    (retried,) = [notice.data for notice in notices if notice.event == "trial_retried"]
    assert (retried["trial"], retried["attempt"]) == (0, 2)
    assert "no progress" in retried["reason"]
    first, second = study.trials()
    assert _states(study) == [TrialState.COMPLETE] * 2
    assert (first.user_attrs["attempts"], second.user_attrs["attempts"]) == (1, 1)
    assert first.intermediate_values == {1: 0.2, 2: 0.6, 3: 0.4}
    assert len(_events(notices, "trial_ended")) == 2


def test_an_objective_that_is_not_finite_is_no_result(search, make_sweep):
    study, _, _ = search(make_sweep(budget={"trials": 1}), _training(float("nan")))
    (trial,) = study.trials()
    assert (trial.state, facts(trial)["failure"]) == (TrialState.FAIL, "nan_loss")


def test_a_row_of_failures_breaks_the_circuit(search, make_sweep):
    sweep = make_sweep(budget={"trials": 10}, on_failure={"max_consecutive": 3})

    def make_job(number, *_):
        return Asks(number, (0.5,)) if number == 1 else Raises(number, RuntimeError("no disk"))

    with pytest.raises(NoResultError, match="the last 3 trials failed") as caught:
        search(sweep, make_job)
    assert "no disk" in caught.value.received


def test_the_circuit_closes_again_with_the_next_run(search, make_sweep, paths):
    sweep = make_sweep(on_failure={"max_consecutive": 2}, budget={"trials": 4})
    with pytest.raises(NoResultError):
        search(sweep, lambda number, *_: Raises(number, RuntimeError("no disk")))
    study, _, _ = search(sweep, _training(0.5))
    assert _states(study) == [TrialState.FAIL] * 2 + [TrialState.COMPLETE] * 2


def _stop_at(stop, event, trial, notice):
    if not stop and notice.event == event and notice.data["trial"] == trial:
        stop.handle(2, None)


def test_a_stop_leaves_the_running_trial_to_the_next_run(search, make_sweep):
    sweep, stop = make_sweep(), StopRequest()
    watch = partial(_stop_at, stop, "epoch", 1)
    study, notices, tracker = search(sweep, _training(0.2, 0.6, 0.4), stop=stop, watch=watch)
    assert _states(study) == [TrialState.COMPLETE, TrialState.RUNNING]
    assert tracker.states() == {"run-0": "complete", "run-1": "interrupted"}
    assert sum(name == "epoch" for name, number in _events(notices, "epoch") if number == 1) == 2
    left = study.trials()[1]

    study, notices, _ = search(sweep, _training(0.2, 0.6, 0.4))
    assert _states(study) == [TrialState.COMPLETE] * 4
    again = study.trials()[1]
    assert again.params == left.params
    assert again.user_attrs["attempts"] == 1
    started = [number for _, number in _events(notices, "trial_started")]
    assert started == [1, 2, 3]


def test_a_stop_before_the_first_trial_starts_none(search, make_sweep):
    stop = StopRequest()
    stop.handle(15, None)
    study, _, _ = search(make_sweep(), _training(0.5), stop=stop)
    assert study.trials() == []


def test_a_trial_that_killed_every_supervisor_is_given_up(search, make_sweep, paths):
    sweep = make_sweep(budget={"trials": 1}, on_failure={"max_attempts": 2})
    study = SweepStudy.open(sweep, paths)
    trial = study.ask()
    study.configure(trial)
    trial.set_user_attr("attempts", 2)
    study.leave()
    study, notices, tracker = search(sweep, _training(0.5))
    assert _states(study) == [TrialState.FAIL]
    assert tracker.states() == {"run-0": "failed"}
    assert "gave up after 2 attempts" in facts(study.trials()[0])["reason"]
    assert [notice.event for notice in notices] == ["trial_ended"]
