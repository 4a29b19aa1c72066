"""The settings in mlruns_config/ against the code, and against a server that starts with them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tlsearch.tracking.location import SETTINGS, TrackingStore
from tlsearch.tracking.mlflow_tracker import MLflowTracker
from tlsearch.tracking.tracker import TrackingError

FOLDER = Path(__file__).parents[2] / "mlruns_config"


def read(name):
    lines = (FOLDER / name).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_the_embedded_settings_are_those_of_the_code():
    assert read("embedded.env") == SETTINGS


def test_every_setting_is_one_that_mlflow_knows():
    import mlflow

    source = Path(mlflow.__file__).parent
    files = ["environment_variables.py", "cli/__init__.py", "utils/cli_args.py"]
    known = "\n".join((source / name).read_text() for name in files)
    named = {*read("embedded.env"), *read("server.env")}
    assert [name for name in named if not re.search(rf"\b{name}\b", known)] == []


@pytest.fixture
def shared_server(tmp_path):
    """A server with the settings of server.env: SQLite, local files and a free port filled in."""
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    settings = read("server.env") | {
        "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{tmp_path}/mlflow.db",
        "MLFLOW_ARTIFACTS_DESTINATION": str(tmp_path / "files"),
        "MLFLOW_SERVER_ALLOWED_HOSTS": f"127.0.0.1:{port}",
        "MLFLOW_AUTH_ADMIN_PASSWORD": "a long password",
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "a secret key",
    }
    command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth"]
    options = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW")}
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            [*command, *options],
            cwd=tmp_path,
            env=environment | settings,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield wait_for(server, f"http://127.0.0.1:{port}", tmp_path / "log")
    finally:
        os.killpg(server.pid, 15)
        server.wait(timeout=30)


def wait_for(server, address, log):
    for _ in range(300):
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=2):
                return address
        except OSError:
            time.sleep(0.2)
    raise AssertionError(log.read_text())


@pytest.mark.slow
def test_a_sweep_is_logged_to_a_server_with_users(shared_server, tmp_path, monkeypatch):
    pytest.importorskip("flask_wtf", reason="the server's users need mlflow[auth]")
    monkeypatch.delenv("MLFLOW_TRACKING_USERNAME", raising=False)
    with pytest.raises(TrackingError, match=shared_server):
        MLflowTracker(TrackingStore(shared_server))

    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "a long password")
    tracker = MLflowTracker(TrackingStore(shared_server))
    parent = tracker.open_sweep("flowers", "flowers", None, {}, {}, None)
    trial = tracker.start_trial(parent, 0, {"backbone": "MobileNetV2"}, {})
    tracker.log_epoch(trial, 1, {"val_accuracy": 0.9}, time.time())
    version = tracker.register(trial, make_bundle(tmp_path), "flowers", {})
    tracker.finish_trial(trial, "complete")
    tracker.finish_sweep(parent, {"best_val_accuracy": 0.9}, {})

    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", shared_server)
    assert version == "1"
    assert mlflow.onnx.load_model("models:/flowers@champion").graph.input[0].name == "images"
    assert list((tmp_path / "files").rglob("bundle/model.onnx"))


def make_bundle(folder):
    import onnx
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [helper.make_node("Softmax", ["images"], ["probabilities"])],
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 3])],
    )
    bundle = folder / "bundle"
    bundle.mkdir()
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, bundle / "model.onnx")
    return bundle
