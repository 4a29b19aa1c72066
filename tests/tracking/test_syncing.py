"""What `tlsearch sync` tells, to a real store in the home, and how it says what is left."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest

from tlsearch.errors import UsageError
from tlsearch.paths import Paths
from tlsearch.terminal.syncing import sync_sweeps
from tlsearch.tracking.records import EpochDone, SweepOpened, TrialEnded, TrialStarted
from tlsearch.tracking.spool import Spool, SpoolFile, hold
from tlsearch.tracking.syncing import Synced, Syncing
from tlsearch.tracking.tracker import StoreUnreachable


@pytest.fixture
def paths(embedded, tmp_path, monkeypatch):
    """A home whose tracking store is the session's: making one takes seconds."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    paths = Paths(tmp_path / "home")
    paths.create()
    paths.mlflow_db.symlink_to(embedded.uri.removeprefix("sqlite:///"))
    return paths


def _leave(paths, sweep, store=None, name="dead"):
    """A spool that a killed sweep has left; 4 records."""
    opened = SweepOpened(name=sweep, experiment="sync", study=f"{paths.home}{sweep}", store=store)
    spool = Spool(paths.sweep(sweep).spool / f"{name}.jsonl", opened)
    spool.append(TrialStarted(trial=0))
    spool.append(EpochDone(trial=0, epoch=1, metrics={"loss": 0.5}))
    spool.append(TrialEnded(trial=0, state="complete"))
    spool.close()
    return SpoolFile(spool.file)


def _nobody():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_all_sweeps_are_told_and_their_spools_removed(paths, client, capsys):
    left = [_leave(paths, name) for name in ("one", "two")]
    sync_sweeps(None, paths, json=False)
    said = capsys.readouterr().out.splitlines()
    assert said == ["one: 4 records told to the tracker", "two: 4 records told to the tracker"]
    assert not any(spool.path.exists() for spool in left)
    experiment = client.get_experiment_by_name("sync").experiment_id
    query = "tags.`tlsearch.trial` = '0' and attributes.status = 'FINISHED'"
    assert len(client.search_runs([experiment], query)) == 2
    sync_sweeps(None, paths, json=False)
    assert capsys.readouterr().out == "nothing is left to be told\n"


def test_a_store_that_is_away_leaves_its_sweeps_and_no_others(paths, capsys):
    away, here = _leave(paths, "away", _nobody()), _leave(paths, "here")
    with pytest.raises(StoreUnreachable, match="4 records could not be told") as caught:
        sync_sweeps(None, paths, json=True)
    assert caught.value.exit_code == 3
    rows = {row.pop("sweep"): row for row in json.loads(capsys.readouterr().out)["data"]}
    assert rows["away"] == {"told": 0, "left": 4, "running": 0, "refused": 0}
    assert rows["here"] == {"told": 4, "left": 0, "running": 0, "refused": 0}
    assert (away.path.exists(), here.path.exists()) == (True, False)


def test_a_running_sweep_tells_its_own(paths, capsys):
    spool = _leave(paths, "one")
    code = (
        "import sys; from pathlib import Path\n"
        "from tlsearch.tracking.spool import SpoolFile, hold\n"
        "with hold(SpoolFile(Path(sys.argv[1]))): print('here', flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(spool.path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as running:
        assert running.stdout.readline() == b"here\n"
        sync_sweeps("one", paths, json=True)
        running.stdin.close()
    (row,) = json.loads(capsys.readouterr().out)["data"]
    assert (row["told"], row["left"], row["running"]) == (0, 0, 4)
    assert spool.path.exists()


def test_the_environment_wins_over_the_spool(paths, client, monkeypatch, embedded, capsys):
    _leave(paths, "one", _nobody())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", embedded.uri)
    sync_sweeps("one", paths, json=False)
    assert "4 records told" in capsys.readouterr().out


def test_a_password_has_to_be_named_again(paths):
    _leave(paths, "one", "http://anna:***@127.0.0.1:5000")
    with pytest.raises(UsageError, match="password") as caught:
        sync_sweeps("one", paths, json=False)
    assert "MLFLOW_TRACKING_URI" in caught.value.hint


def test_a_sweep_that_is_not_here_is_named(paths):
    with pytest.raises(UsageError, match="no sweep 'nowhere'"):
        sync_sweeps("nowhere", paths, json=False)


def _sync_meeting(paths, tracker, meet):
    """Sync the sweep `one`; `meet` is called when the address of a spool's store is looked up."""

    def resolve(_):
        meet()
        return tracker.store

    return Syncing(resolve, lambda _: tracker).sync(paths.sweep("one"))


def test_a_spool_that_another_process_tells_meanwhile(paths, tracker):
    first, second = _leave(paths, "one"), _leave(paths, "one", name="other")
    found = _sync_meeting(paths, tracker, second.remove)
    assert found == Synced("one", told=4)
    assert not first.path.exists()
    assert list(paths.sweep("one").spool.iterdir()) == []


def test_nobody_else_tells_what_is_looked_at(paths, tracker):
    spool, free = _leave(paths, "one"), []

    def meet():
        with hold(SpoolFile(spool.path)) as is_free:
            free.append(is_free)

    assert _sync_meeting(paths, tracker, meet) == Synced("one", told=4)
    assert free == [False]


def test_a_spool_without_a_first_record_is_removed(paths, capsys):
    """As of a process that was killed when it had just made the file."""
    spool = _leave(paths, "one")
    os.truncate(spool.path, 10)
    sync_sweeps("one", paths, json=False)
    assert not spool.path.exists()
    with hold(spool) as is_free:
        assert is_free
