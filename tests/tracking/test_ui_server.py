"""MLflow's UI: when it refuses to start, what its addresses are, and that it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.parse
import urllib.request

import pytest

from tlsearch.errors import NoResultError, SetupError
from tlsearch.paths import Paths
from tlsearch.tracking.location import TrackingStore
from tlsearch.tracking.ui import compare_url, leaderboard_url, open_ui, ui_command, ui_environment

ADDRESS = "http://127.0.0.1:5000"
SETTINGS = {"objective": {"metric": "val_accuracy", "direction": "maximize"}}
TAGS = {"tlsearch.space": '{"backbone": ["MobileNetV2"], "augment": ["none", "light"]}'}


@pytest.fixture
def busy_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_a_port_that_is_taken_is_named(tracker, busy_port):
    with pytest.raises(SetupError, match=f"127.0.0.1:{busy_port}") as caught:
        open_ui(Paths.from_environment(), tracker.store.uri, port=busy_port)
    assert f"--port {busy_port + 1}" in caught.value.hint


def test_an_empty_home_has_nothing_to_show(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(NoResultError, match="nothing has been logged"):
        open_ui(Paths(tmp_path), None)
    assert list(tmp_path.iterdir()) == []


def test_a_server_shows_itself(tmp_path, capsys):
    open_ui(Paths(tmp_path), "https://anna:s3cret@mlflow.example.org")
    assert "https://anna:***@mlflow.example.org" in capsys.readouterr().out


def test_a_password_is_not_in_the_command():
    store = TrackingStore("postgresql://anna:s3cret@db/mlflow")
    assert not any("s3cret" in word for word in ui_command("127.0.0.1", 5000))
    assert ui_environment(store)["MLFLOW_BACKEND_STORE_URI"] == store.uri


def test_the_compared_runs_are_in_the_address():
    query = urllib.parse.urlparse(compare_url(ADDRESS, "3", ["a", "b"])).fragment.split("?")[1]
    fields = urllib.parse.parse_qs(query)
    assert json.loads(fields["runs"][0]) == ["a", "b"]
    assert json.loads(fields["experiments"][0]) == ["3"]


def test_a_sweep_leaves_a_view_of_its_trials(tracker, client):
    parent = tracker.open_sweep("viewed", "viewed", None, SETTINGS, TAGS, None)
    experiment = client.get_experiment(client.get_run(parent).info.experiment_id)
    state = json.loads(experiment.tags["mlflow.sharedViewState.leaderboard"])
    assert state["orderByKey"] == "metrics.`best_val_accuracy`"
    assert state["orderByAsc"] is False
    assert state["selectedColumns"][1:3] == ["params.`backbone`", "params.`augment`"]
    run = tracker.start_trial(parent, 0, {"backbone": "MobileNetV2"}, {})
    found = client.search_runs([experiment.experiment_id], state["searchFilter"])
    assert [trial.info.run_id for trial in found] == [run]


@pytest.mark.slow
def test_the_ui_serves_the_home_and_ends_with_its_command(tracker):
    parent = tracker.open_sweep("served", "served", None, SETTINGS, TAGS, None)
    port = free_port()
    script = (
        "import sys; from tlsearch.paths import Paths; from tlsearch.tracking.ui import open_ui\n"
        "open_ui(Paths.from_environment(), sys.argv[1], port=int(sys.argv[2]))\n"
    )
    command = [sys.executable, "-c", script, tracker.store.uri, str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as server:
        rescue = threading.Timer(90, server.kill)
        rescue.start()
        try:
            lines = iter(server.stdout.readline, "")
            experiment = tracker.experiment_of(parent)
            address = f"http://127.0.0.1:{port}"
            expected = f"served: {leaderboard_url(address, experiment)}"
            assert any(line.strip() == expected for line in lines)
            question = f"{address}/api/2.0/mlflow/runs/get?run_id={parent}"
            with urllib.request.urlopen(question, timeout=30) as answer:
                assert json.load(answer)["run"]["info"]["run_name"] == "served"
        finally:
            rescue.cancel()
            server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=30) == 0
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
