"""A real MLflow server, and versions in its registry."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

NOTHING = {"PYTHONWARNINGS": "ignore", "MLFLOW_DISABLE_TELEMETRY": "true"}
SETTINGS = NOTHING | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}

TIED = '("$@"; kill -KILL 0) < /dev/null & cat > /dev/null; kill -KILL 0'
"""Runs a command that ends with all its processes when the pipe does: also if pytest is killed."""


class Server(NamedTuple):
    """`uri` is how clients call it; it also answers to `localhost` with the port of a `Gate`."""

    uri: str
    port: int
    gate: int


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def mlflow_server(folder: Path, *options: str, scheme="http", settings=None):
    """`mlflow server` on SQLite, for the name `localhost` alone; it ends with the block."""
    port, gate = free_port(), free_port()
    uri = f"{scheme}://localhost:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(port)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW")}
    hosts = f"localhost:{port},localhost:{gate}"
    environment |= SETTINGS | {"MLFLOW_BACKEND_STORE_URI": f"sqlite:///{folder}/mlflow.db"}
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            ["sh", "-c", TIED, "sh", *command, "--allowed-hosts", hosts, *options],
            cwd=folder,
            stdin=subprocess.PIPE,
            env=environment | (settings or {}),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_for(server, uri, folder / "log")
        yield Server(uri, port, gate)
    finally:
        # Politely it would wait for the connections that clients keep open.
        server.stdin.close()
        server.wait(timeout=30)


def wait_for(server, uri, log):
    for _ in range(600):
        assert server.poll() is None, log.read_text()
        try:
            if httpx.get(f"{uri}/health", timeout=2, verify=False).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    raise AssertionError(log.read_text())


class Registrar:
    """What tlsearch does with the champion, with files of the test's choice."""

    def __init__(self, uri: str) -> None:
        from mlflow import MlflowClient

        self.uri = uri
        self.client = MlflowClient(uri, uri)
        self.experiment = self.client.create_experiment(os.urandom(8).hex())

    def register(self, name: str, bundle: Path | None, alias: str | None = "champion") -> str:
        """A new version with the bundle, or with none; its number."""
        run = self.client.create_run(self.experiment).info.run_id
        model = self.client.create_logged_model(self.experiment, name=name, source_run_id=run)
        if bundle is not None:
            self.client.log_model_artifacts(model.model_id, str(bundle.parent))
        self.client.finalize_logged_model(model.model_id, "READY")
        return self._version(name, model.model_id, run, alias)

    def _version(self, name, model_id, run, alias):
        if not self.client.search_registered_models(f"name = '{name}'"):
            self.client.create_registered_model(name)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MLFLOW_TRACKING_URI", self.uri)
            made = self.client.create_model_version(
                name, f"models:/{model_id}", run, model_id=model_id, await_creation_for=None
            )
        version = str(made.version)
        if alias:
            self.move(name, alias, version)
        return version

    def move(self, name: str, alias: str, version: str) -> None:
        self.client.set_registered_model_alias(name, alias, version)


class Gate:
    """The way to a server, over a port of its own: the server is there while it is open."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.uri = f"http://localhost:{server.gate}"
        self._open: list[socket.socket] = []

    def open(self) -> None:
        listener = socket.create_server(("127.0.0.1", self.server.gate))
        self._open.append(listener)
        threading.Thread(target=self._admit, args=(listener,), daemon=True).start()

    def close(self) -> None:
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._open.clear()

    def _admit(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(("localhost", self.server.port))
                self._open += [client, server]
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=_carry, args=pair, daemon=True).start()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


def copied(bundle: Path, folder: Path) -> Path:
    """The bundle in a folder of its own, under the name it has in the registry."""
    return Path(shutil.copytree(bundle, folder / "files" / "bundle"))
