"""A spool that is replayed to a real MLflow store, through failures and restarts."""

from __future__ import annotations

import itertools

import pytest
from failing_tracker import FailsOnce, Heard

from tlsearch.tracking.mlflow_tracker import MLflowTracker
from tlsearch.tracking.records import (
    EpochDone,
    FilesWritten,
    Noted,
    SweepEnded,
    SweepOpened,
    TrialEnded,
    TrialStarted,
)
from tlsearch.tracking.replay import Replay
from tlsearch.tracking.replayer import finish
from tlsearch.tracking.spool import Spool, SpoolFile
from tlsearch.tracking.tracker import StoreUnreachable

EPOCHS = (1, 2, 3)
_STUDIES = itertools.count()


def _opened(**more):
    return SweepOpened(
        name="flowers", experiment="replay", study=f"study-{next(_STUDIES)}", at=1000.0, **more
    )


def _sweep(opened, folder):
    """What a sweep of two trials tells whose epochs alternate; the second is started twice."""
    report = folder / "trials" / "00000" / "report"
    report.mkdir(parents=True, exist_ok=True)
    (report / "curve.csv").write_text("epoch\n")
    yield opened
    for trial in (0, 1):
        yield TrialStarted(trial=trial, parameters={"backbone": "MobileNet"}, at=1001.0 + trial)
        yield Noted(trial=trial, metrics={"total_parameters": 10.0}, at=1002.0 + trial)
    for epoch in EPOCHS[:2]:
        for trial in (0, 1):
            metrics = {"loss": 1 / epoch, "val_accuracy": 0.1 * epoch}
            yield EpochDone(trial=trial, epoch=epoch, metrics=metrics, at=1003.0 + epoch)
    yield TrialEnded(trial=1, state="failed", reason="worker_lost: gone", at=1006.0)
    yield TrialStarted(trial=1, parameters={"backbone": "MobileNet"}, at=1007.0)
    for trial in (0, 1):
        # The second epoch of the second trial was trained again: it ended at another time.
        for epoch in EPOCHS[1:] if trial else EPOCHS[2:]:
            metrics = {"loss": 1 / epoch, "val_accuracy": 0.1 * epoch}
            yield EpochDone(trial=trial, epoch=epoch, metrics=metrics, at=1010.0 + epoch)
        best = {"best_val_accuracy": 0.3}
        yield TrialEnded(trial=trial, state="complete", metrics=best, at=1020.0 + trial)
    yield FilesWritten(trial=0, folder="trials/00000/report", at=1022.0)
    yield Noted(trial=0, metrics={"test_accuracy": 0.25}, at=1023.0)
    yield SweepEnded(
        state="complete",
        metrics={"test_accuracy": 0.25},
        runs={"tlsearch.champion": 0},
        at=1030.0,
    )


def _spool(folder, opened, name="a"):
    spool = Spool(folder / "spool" / f"{name}.jsonl", opened)
    for record in itertools.islice(_sweep(opened, folder), 1, None):
        spool.append(record)
    spool.close()
    return SpoolFile(spool.file)


def _assert_whole(client, heard):
    """Two trials with each epoch of each metric once, everything ended, nothing else."""
    parent = client.get_run(heard.runs[None])
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics == {"test_accuracy": 0.25}
    assert parent.data.tags["tlsearch.champion"] == heard.runs[0]
    query = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    children = client.search_runs([parent.info.experiment_id], query)
    assert sorted(run.data.tags["tlsearch.trial"] for run in children) == ["0", "1"]
    for run in children:
        assert (run.info.status, run.data.tags["tlsearch.state"]) == ("FINISHED", "complete")
        assert run.data.params == {"backbone": "MobileNet"}
        for name in ("loss", "val_accuracy"):
            history = client.get_metric_history(run.info.run_id, name)
            assert sorted(point.step for point in history) == list(EPOCHS)
        for name in ("total_parameters", "best_val_accuracy"):
            assert len(client.get_metric_history(run.info.run_id, name)) == 1
    files = client.list_artifacts(heard.runs[0])
    assert [file.path for file in files] == ["curve.csv"]


def _bring(spool, tracker, folder, heard):
    replay = Replay(spool, tracker, "store", folder, heard)
    while replay.bring():
        pass


def test_all_of_a_spool_is_told_once(tracker, client, tmp_path):
    heard, opened = Heard(), _opened()
    spool = _spool(tmp_path, opened)
    assert spool.left("store") == 19
    _bring(spool, tracker, tmp_path, heard)
    _assert_whole(client, heard)
    assert heard.studies == {opened.study}
    assert spool.left("store") == 0
    assert (tmp_path / "trials" / "00000" / "report.tracked").read_text() == heard.runs[0]
    run = client.get_run(heard.runs[1])
    assert (run.info.start_time, run.info.end_time) == (1002_000, 1021_000)


@pytest.mark.parametrize("carries_out", [False, True], ids=["lost", "answer lost"])
def test_a_call_that_fails_costs_and_doubles_nothing(
    tracker, client, tmp_path, monkeypatch, carries_out
):
    """Every call in turn; portions are small, so that some of what is told is confirmed."""
    monkeypatch.setattr("tlsearch.tracking.replay.PORTION", 5)
    for nth in itertools.count(1):
        folder, heard = tmp_path / str(nth), Heard()
        spool = _spool(folder, _opened())
        failing = FailsOnce(tracker, nth, carries_out)
        failures = _bring_stubbornly(Replay(spool, failing, "store", folder, heard))
        _assert_whole(client, heard)
        if failures == 0:
            break
    assert nth > 15


def _bring_stubbornly(replay):
    """Bring all of it, whatever fails; how often it did."""
    failures = 0
    while True:
        try:
            if not replay.bring():
                return failures
        except StoreUnreachable:
            failures += 1


def test_a_process_that_is_killed_at_any_call_leaves_the_rest_to_the_next(
    tracker, client, tmp_path, monkeypatch
):
    monkeypatch.setattr("tlsearch.tracking.replay.PORTION", 4)
    for nth in range(1, 16, 2):
        folder, heard = tmp_path / str(nth), Heard()
        spool = _spool(folder, _opened())
        with pytest.raises(StoreUnreachable):
            _bring(spool, FailsOnce(tracker, nth, True), folder, heard)
        _bring(SpoolFile(spool.path), MLflowTracker(tracker.store), folder, heard)
        _assert_whole(client, heard)


def test_what_a_dead_process_left_comes_after_what_its_successor_told(tracker, client, tmp_path):
    """The older spool opens and ends runs: the states stay those of the later one."""
    opened = _opened()
    heard = Heard()
    dead = Spool(tmp_path / "spool" / "dead.jsonl", opened)
    dead.append(TrialStarted(trial=0, parameters={"backbone": "MobileNet"}, at=1001.0))
    dead.append(EpochDone(trial=0, epoch=1, metrics={"loss": 1.0, "val_accuracy": 0.1}, at=1002.0))
    dead.append(TrialEnded(trial=0, state="interrupted", at=1002.5))
    dead.append(SweepEnded(state="interrupted", at=1002.6))
    dead.close()
    later = opened.model_copy(update={"at": 1003.0})
    _bring(_spool(tmp_path, later), tracker, tmp_path, heard)
    assert finish(SpoolFile(dead.file), tracker, "store", tmp_path, heard)
    _assert_whole(client, heard)
    assert not dead.file.exists()


def test_what_another_process_has_told_and_removed_is_done(tracker, tmp_path):
    spool = _spool(tmp_path, _opened())
    spool.remove()
    assert finish(spool, tracker, "store", tmp_path, Heard())
    assert list(spool.path.parent.iterdir()) == []


def test_a_run_that_somebody_deleted_is_left_out(tracker, client, tmp_path):
    heard = Heard()
    spool = _spool(tmp_path, _opened())
    replay = Replay(spool, tracker, "store", tmp_path, heard)
    records = spool.all()
    assert replay.bring()
    client.delete_run(heard.runs[0])
    again = Spool(tmp_path / "spool" / "b.jsonl", records[0])
    again.append(EpochDone(trial=0, epoch=9, metrics={"loss": 1.0}))
    again.append(EpochDone(trial=1, epoch=9, metrics={"loss": 1.0}))
    again.close()
    _bring(SpoolFile(again.file), MLflowTracker(tracker.store), tmp_path, heard)
    assert [told[0] for told in heard.told] == ["refused"]
    assert client.get_run(heard.runs[1]).data.metrics["loss"] == 1.0


def test_a_trial_that_was_given_two_runs_keeps_one(tracker, client, tmp_path):
    """As by a stopped server that carries out a request which was given up."""
    heard = Heard()
    spool = _spool(tmp_path, _opened())
    replay = Replay(spool, tracker, "store", tmp_path, heard)
    records = spool.all()
    assert replay.bring()
    parent = client.get_run(heard.runs[None])
    tags = {"mlflow.parentRunId": parent.info.run_id, "tlsearch.trial": "1"}
    client.create_run(parent.info.experiment_id, tags=tags)
    again = Spool(tmp_path / "spool" / "b.jsonl", records[0])
    again.append(records[-1])
    again.close()
    _bring(SpoolFile(again.file), tracker, tmp_path, heard)
    _assert_whole(client, heard)
