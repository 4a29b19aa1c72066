"""Several `tlsearch run` of one sweep at once, some of them killed: they share the work."""

from __future__ import annotations

import os
import signal

import optuna
import pytest
from killable import Killable
from optuna.trial import TrialState
from postgres_server import empty_database, postgres_server
from tiny_sweeps import SWEEP, tlsearch, write_sweep

pytestmark = pytest.mark.slow

TRIALS = 6
TEXT = SWEEP.replace("trials: 4", f"trials: {TRIALS}").replace("epochs: 3, head", "epochs: 6, head")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return write_sweep(tmp_path_factory.mktemp("sweep"), TEXT)


@pytest.fixture
def start(file):
    """A function that starts a run; whatever is left of them at the end is killed."""
    started = []

    def give(home, **environment):
        started.append(Killable(home, file, **environment))
        return started[-1]

    yield give
    for killable in started:
        killable.kill()


def _hold_exact(storage):
    """The study has its trials, each complete, and no epoch is missing; returns them."""
    trials = optuna.load_study(study_name="tiny", storage=storage).get_trials()
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * TRIALS
    assert [sorted(trial.intermediate_values) for trial in trials] == [[*range(1, 7)]] * TRIALS
    return trials


def _ended(*runs):
    """The numbers of the trials that each has ended."""
    return [[event["trial"] for event in run.of_kind("trial_ended")] for run in runs]


def test_two_share_the_work_and_one_delivers(start, tmp_path):
    home = tmp_path / "home"
    runs = [start(home), start(home)]
    for run in runs:
        status, stderr = run.end()
        assert status == 0, stderr
    _hold_exact(f"sqlite:///{home}/optuna.db")
    first, second = _ended(*runs)
    assert first
    assert second
    assert sorted(first + second) == [*range(TRIALS)]
    assert sum(len(run.of_kind("exported")) for run in runs) == 1
    assert sum(len(run.of_kind("registered")) for run in runs) == 1
    assert sum(len(run.of_kind("delivered")) for run in runs) == 1
    assert (home / "sweeps" / "tiny" / "bundle").is_dir()


def test_who_is_killed_leaves_its_trial_to_the_other(start, file, tmp_path):
    home = tmp_path / "home"
    first = start(home)
    first.read_until("epoch", trial=0, epoch=2)
    # Who is stopped lives: its trial stays its own.
    os.kill(first.process.pid, signal.SIGSTOP)
    second = start(home)
    second.read_until("trial_started", trial=1)
    refused = tlsearch(home, "run", file, "--new")
    assert refused.returncode == 2
    assert "others are at work" in refused.stderr
    os.kill(first.process.pid, signal.SIGKILL)
    first.process.wait()
    status, stderr = second.end()
    assert status == 0, stderr
    trials = _hold_exact(f"sqlite:///{home}/optuna.db")
    assert [trial.user_attrs["attempts"] for trial in trials] == [1] * TRIALS
    assert sorted(*_ended(second)) == [*range(TRIALS)]
    again = tlsearch(home, "run", file)
    assert again.returncode == 0, again.stderr
    assert "the budget is spent" in again.stderr


@pytest.fixture(scope="module")
def postgres():
    with postgres_server() as server:
        yield server


def test_two_homes_share_the_work_on_postgresql(start, tmp_path, postgres):
    address = empty_database(postgres, "shared")
    homes = [tmp_path / "here", tmp_path / "there"]
    tracking = f"sqlite:///{tmp_path}/mlflow.db"
    runs = [start(home, TLSEARCH_STORAGE=address, MLFLOW_TRACKING_URI=tracking) for home in homes]
    for run in runs:
        status, stderr = run.end()
        assert status == 0, stderr
    _hold_exact(address)
    first, second = _ended(*runs)
    assert sorted(first + second) == [*range(TRIALS)]
    bundles = [home / "sweeps" / "tiny" / "bundle" for home in homes]
    assert sum(bundle.is_dir() for bundle in bundles) == 1
    assert not [event for run in runs for event in run.of_kind("training_again")]
    (told,) = [event for run in runs for event in run.of_kind("delivered")]
    assert told["bundle"] in map(str, bundles)


def test_a_champion_of_a_home_that_is_gone_is_trained_again(start, tmp_path, postgres):
    address = empty_database(postgres, "gone")
    tracking = {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"}
    first = start(tmp_path / "here", TLSEARCH_STORAGE=address, **tracking)
    first.read_until("exporting", trial=...)
    first.kill()
    trials = _hold_exact(address)
    second = start(tmp_path / "there", TLSEARCH_STORAGE=address, **tracking)
    status, stderr = second.end()
    assert status == 0, stderr
    (champion,) = second.of_kind("champion")
    again = [event["trial"] for event in second.of_kind("training_again")]
    assert again[0] == champion["trial"]
    assert not [one for one in second.of_kind("warning") if "instead of" in one["text"]]
    assert [trial.value for trial in _hold_exact(address)] == [trial.value for trial in trials]
    assert (tmp_path / "there" / "sweeps" / "tiny" / "bundle").is_dir()
