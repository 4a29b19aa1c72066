"""A spool beside a real MLflow server that goes away while it is written, and comes back."""

from __future__ import annotations

import time

import pytest
from failing_tracker import Heard
from stoppable_server import StoppableServer

from tlsearch.tracking.location import TrackingStore
from tlsearch.tracking.mlflow_tracker import MLflowTracker
from tlsearch.tracking.records import EpochDone, SweepEnded, SweepOpened, TrialEnded, TrialStarted
from tlsearch.tracking.replayer import Replayer
from tlsearch.tracking.spool import Spool, SpoolFile

pytestmark = pytest.mark.slow

TRIALS, EPOCHS = 6, 10


@pytest.fixture
def server(tmp_path):
    made = StoppableServer(tmp_path / "server")
    made.start()
    yield made
    made.kill()


def _stop_answering(server, how):
    server.pause() if how == "stopped" else server.kill()


def _answer_again(server, how):
    server.resume() if how == "stopped" else server.start()


def _train(spool, trial):
    """The records of one trial, which lasts a second."""
    spool.append(TrialStarted(trial=trial))
    for epoch in range(1, EPOCHS + 1):
        metrics = {"loss": 1 / epoch, "val_accuracy": 0.5}
        spool.append(EpochDone(trial=trial, epoch=epoch, metrics=metrics))
        time.sleep(0.1)
    spool.append(TrialEnded(trial=trial, state="complete"), hurry=True)


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_a_server_that_was_away_has_everything_once(server, tmp_path, monkeypatch, how):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "3")
    store = TrackingStore(server.uri)
    heard = Heard()
    opened = SweepOpened(name="away", experiment="away", study=how)
    spool = Spool(tmp_path / "spool" / "me.jsonl", opened)
    replayer = Replayer(
        spool, str(store), lambda: MLflowTracker(store), tmp_path, heard, lambda *_: None
    )
    replayer.start()
    replayer.wait_for_store(None)
    _train(spool, 0)
    for trial in range(1, TRIALS):
        if trial == 2:
            _stop_answering(server, how)
        if trial == 4:
            # It has been missed by now, and calls that it was asked are given up.
            assert _happens(lambda: ("lost",) in heard.told)
            _answer_again(server, how)
        _train(spool, trial)
        if trial == 3:
            # Both trials were trained and written down with nobody there to be told.
            assert SpoolFile(spool.file).left(str(store)) >= 2 * (EPOCHS + 2)
    spool.append(SweepEnded(state="complete"))
    assert replayer.drain(60) or _happens(lambda: replayer.drain(1))
    replayer.close()
    spool.close()
    assert heard.told == [("lost",), ("back",)]
    assert SpoolFile(spool.file).left(str(store)) == 0
    _assert_whole(MLflowTracker(store)._client, heard.runs[None])


def _happens(what):
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.1)
    return False


def _assert_whole(client, parent):
    run = client.get_run(parent)
    assert run.info.status == "FINISHED"
    query = f"tags.`mlflow.parentRunId` = '{parent}'"
    children = client.search_runs([run.info.experiment_id], query)
    assert sorted(int(one.data.tags["tlsearch.trial"]) for one in children) == [*range(TRIALS)]
    for one in children:
        assert one.info.status == "FINISHED"
        for name in ("loss", "val_accuracy"):
            history = client.get_metric_history(one.info.run_id, name)
            assert sorted(point.step for point in history) == [*range(1, EPOCHS + 1)]
    sweeps = client.search_runs([run.info.experiment_id], "tags.`tlsearch.kind` = 'sweep'")
    assert [one.info.run_id for one in sweeps] == [parent]


def test_stdout_belongs_to_the_command(server, capfd):
    """MLflow would print the addresses of runs that end there, between the lines of --json."""
    tracker = MLflowTracker(TrackingStore(server.uri))
    parent = tracker.open_sweep("quiet", "quiet", None, {}, {}, None)
    tracker.finish_trial(tracker.start_trial(parent, 0, {}, {}), "complete")
    tracker.finish_sweep(parent, {}, {})
    assert capfd.readouterr().out == ""
