"""A sweep whose MLflow server never answers, and what `tlsearch sync` makes of it afterwards."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from tiny_sweeps import SWEEP, tlsearch, write_sweep

sys.path.append(str(Path(__file__).parents[1] / "tracking"))
from stoppable_server import StoppableServer

pytestmark = pytest.mark.slow


def _events(done, kind):
    lines = (json.loads(line) for line in done.stdout.splitlines())
    return [event for event in lines if event["event"] == kind]


def _steps(client, runs, name):
    return [
        sorted(point.step for point in client.get_metric_history(run.info.run_id, name))
        for run in runs
    ]


def test_a_server_that_never_answers_is_told_all_later(tmp_path):
    file = write_sweep(tmp_path / "sweep", SWEEP.replace("trials: 4", "trials: 2"))
    home, server = tmp_path / "home", StoppableServer(tmp_path / "server")
    away = {"MLFLOW_TRACKING_URI": server.uri}
    run = tlsearch(home, "run", file, "--json", **away)
    assert run.returncode == 0, run.stderr
    assert (home / "sweeps" / "tiny" / "bundle" / "model.onnx").is_file()
    (lost,) = _events(run, "warning")
    assert "training goes on" in lost["text"]
    (left,) = _events(run, "tracking_left")
    assert left["records"] > 10
    spools = list((home / "sweeps" / "tiny" / "spool").glob("*.jsonl"))
    assert len(spools) == 1

    early = tlsearch(home, "sync", "--json")
    assert early.returncode == 3
    assert "nothing is lost" in early.stderr
    (row,) = json.loads(early.stdout)["data"]
    assert (row["sweep"], row["told"], row["left"]) == ("tiny", 0, left["records"])

    server.start()
    try:
        sync = tlsearch(home, "sync", "tiny")
        assert sync.returncode == 0, sync.stderr
        assert f"{left['records']} records told" in sync.stdout
        _assert_whole(server.uri)
        again = tlsearch(home, "sync", file)
        assert (again.returncode, again.stdout) == (0, "nothing is left to be told\n")
    finally:
        server.kill()
    assert not spools[0].exists()


def _assert_whole(uri):
    from mlflow import MlflowClient

    client = MlflowClient(uri, uri)
    runs = client.search_runs([client.get_experiment_by_name("tiny").experiment_id])
    (parent,) = [run for run in runs if "tlsearch.trial" not in run.data.tags]
    trials = [run for run in runs if "tlsearch.trial" in run.data.tags]
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert sorted(run.data.tags["tlsearch.trial"] for run in trials) == ["0", "1"]
    for name in ("loss", "val_accuracy", "epoch_seconds"):
        assert _steps(client, trials, name) == [[1, 2, 3]] * 2
    version = client.get_model_version_by_alias("tiny-flowers", "champion")
    assert version.run_id == parent.data.tags["tlsearch.champion"]
    assert "bundle" in [one.path for one in client.list_artifacts(version.run_id)]
    assert any(one.path.endswith(".png") for one in client.list_artifacts(version.run_id))
