"""Kills of the supervisor and of a worker, Ctrl-C, SIGTERM: nothing that was done is lost."""

from __future__ import annotations

import json
import os
import signal
import time

import optuna
import pytest
from optuna.trial import TrialState
from tiny_jobs import is_alive, wait_until
from tiny_sweeps import SWEEP, tlsearch, write_sweep

pytestmark = pytest.mark.slow

TEXT = SWEEP.replace("trials: 4", "trials: 3").replace("epochs: 3, head", "epochs: 6, head")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return write_sweep(tmp_path_factory.mktemp("sweep"), TEXT)


def _trials(home):
    storage = f"sqlite:///{home / 'optuna.db'}"
    return optuna.load_study(study_name="tiny", storage=storage).get_trials()


def _runs(home):
    """The state of MLflow's runs: the trials' by number, None for the sweep."""
    from tlsearch.paths import Paths
    from tlsearch.tracking.connection import connect
    from tlsearch.tracking.location import resolve_uri

    paths = Paths(home)
    client = connect(resolve_uri(f"sqlite:///{paths.mlflow_db}", None, paths))
    experiment = client.get_experiment_by_name("tiny").experiment_id
    return {
        run.data.tags.get("tlsearch.trial"): run.info.status
        for run in client.search_runs([experiment])
    }


def _pictures(home, number):
    """Those in the report that MLflow has of a trial."""
    marker = home / "sweeps" / "tiny" / "trials" / f"{number:05d}" / "report.tracked"
    folder = next((home / "mlartifacts").glob(f"*/{marker.read_text()}/artifacts"))
    return [path for path in folder.iterdir() if path.suffix in (".png", ".jpg")]


def _assert_whole(home, file):
    """Run it again: it ends well, with exactly the trials of its budget and none left running."""
    again = tlsearch(home, "run", file, "--json")
    assert again.returncode == 0, again.stderr
    assert [trial.state for trial in _trials(home)] == [TrialState.COMPLETE] * 3
    assert [sorted(trial.intermediate_values) for trial in _trials(home)] == [[*range(1, 7)]] * 3
    assert _runs(home) == {None: "FINISHED", "0": "FINISHED", "1": "FINISHED", "2": "FINISHED"}
    for number in range(3):
        assert len(_pictures(home, number)) == 4
    return [json.loads(line) for line in again.stdout.splitlines()]


def test_a_killed_supervisor_continues_with_the_same_trial(running, home, file):
    running.read_until("epoch", trial=1, epoch=2)
    workers = running.workers()
    running.process.kill()
    running.process.wait()
    assert wait_until(lambda: not any(map(is_alive, workers)))
    before = _trials(home)
    assert [trial.state for trial in before] == [TrialState.COMPLETE, TrialState.RUNNING]

    events = _assert_whole(home, file)
    started = [event["trial"] for event in events if event["event"] == "trial_started"]
    assert started == [1, 2]
    after = _trials(home)
    assert [trial.params for trial in after[:2]] == [trial.params for trial in before]
    assert after[0].user_attrs == before[0].user_attrs


def test_a_killed_worker_is_replaced(running, home, file):
    running.read_until("epoch", trial=1, epoch=2)
    worker, *_ = running.workers()
    os.kill(worker, signal.SIGKILL)
    status, stderr = running.end()
    assert status == 0, stderr
    (retried,) = running.of_kind("trial_retried")
    assert (retried["trial"], retried["attempt"]) == (1, 2)
    assert "signal 9" in retried["reason"]
    trials = _trials(home)
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 3
    # It came an epoch further, which forgives the start that was lost.
    assert [trial.user_attrs["attempts"] for trial in trials] == [1, 1, 1]


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"]
)
def test_an_orderly_end_continues_next_time(running, home, file, number, status):
    running.read_until("epoch", trial=1, epoch=1)
    # A terminal sends Ctrl-C to the workers too.
    send = os.killpg if number == signal.SIGINT else os.kill
    send(running.process.pid, number)
    ended, stderr = running.end()
    assert ended == status
    assert "stopped after 1 of 3 trials" in stderr
    assert f"to continue: tlsearch run {file}" in stderr
    assert _runs(home) == {None: "KILLED", "0": "FINISHED", "1": "KILLED"}
    assert not running.workers()

    events = _assert_whole(home, file)
    assert [e["trial"] for e in events if e["event"] == "trial_started"] == [1, 2]
    assert [trial.user_attrs["attempts"] for trial in _trials(home)] == [1, 1, 1]


def test_a_second_ctrl_c_ends_it_at_once(running, home, file):
    running.read_until("trial_started", trial=0)
    (worker,) = running.workers()
    os.kill(running.process.pid, signal.SIGINT)
    # Two that come at the same instant are one to the process. The first epoch is seconds away.
    time.sleep(1)
    os.kill(running.process.pid, signal.SIGINT)
    ended, stderr = running.end()
    assert ended == 130
    assert "Traceback" not in stderr
    assert "ended at once" in stderr
    assert f"to continue: tlsearch run {file}" in stderr
    assert running.of_kind("trial_ended") == []
    assert wait_until(lambda: not is_alive(worker))
    _assert_whole(home, file)
