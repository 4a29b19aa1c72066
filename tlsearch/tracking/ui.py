"""MLflow's own UI for the embedded store, and addresses of its pages.

The server is MLflow's; this starts it with one worker and for this machine alone, and ends it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from tlsearch.errors import NoResultError, SetupError
from tlsearch.paths import Paths
from tlsearch.tracking.leaderboard import SHARE_KEY, TAG
from tlsearch.tracking.location import SQLITE, TrackingStore, prepare_environment, resolve_uri

STARTUP_SECONDS = 120
TRAINING = "workflowType=machine_learning"
"""Without it the UI's menu is the one for language models."""


def open_ui(paths: Paths, uri: str | None, host: str = "127.0.0.1", port: int = 5000) -> None:
    """Serve the UI until it is interrupted; print its address once it answers.

    Args:
        paths: where the embedded store lies.
        uri: another store, as in `tracking.uri`.
        host: the interface to listen on; `0.0.0.0` for all of them.
        port: the port to listen on.

    Raises:
        SetupError: the port is taken, or the server ends at once.
        NoResultError: nothing has been logged here yet.
    """
    store = resolve_uri(uri, None, paths)
    if store.is_server:
        print(f"the tracking server has its own UI: {store}")
        return
    with suppress(KeyboardInterrupt), serving(store, host, port) as (server, address):
        print(f"MLflow's UI for {store} (Ctrl+C ends it)", experiments_url(address), sep="\n")
        for name, page in list_leaderboards(address).items():
            print(f"{name}: {page}")
        sys.stdout.flush()
        raise SetupError(
            "MLflow's UI ended by itself",
            received=f"exit code {server.wait()}",
            hint="its own message is above; start it again: tlsearch ui",
        )


@contextmanager
def serving(
    store: TrackingStore, host: str, port: int
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A UI server that answers, and its address; it ends with the `with` block."""
    _check_database(store)
    _check_port(host, port)
    prepare_environment()
    # Its own session, so that all processes of the server can be ended together.
    server = subprocess.Popen(
        ui_command(host, port),
        env=os.environ | ui_environment(store),
        stdout=sys.stderr,
        start_new_session=True,
    )
    try:
        with _ends_on_sigterm():
            yield server, _wait_until_ready(server, host, port)
    finally:
        _end(server)


def ui_command(host: str, port: int) -> list[str]:
    """The command that serves the UI; the store is in `ui_environment`."""
    options = ["--host", host, "--port", str(port), "--workers", "1"]
    quiet = ["--uvicorn-opts", "--log-level warning"]
    return [sys.executable, "-m", "mlflow", "ui", *options, *quiet]


def ui_environment(store: TrackingStore) -> dict[str, str]:
    """Which store is served: not in the command, where all users of a machine see passwords."""
    settings = {
        "MLFLOW_BACKEND_STORE_URI": store.uri,
        "MLFLOW_REGISTRY_STORE_URI": store.uri,
        # Background jobs serve the evaluation of language models.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        # Deprecations inside MLflow's server are not for a user of tlsearch to mend.
        "PYTHONWARNINGS": "ignore",
    }
    if store.artifact_root:
        settings["MLFLOW_DEFAULT_ARTIFACT_ROOT"] = store.artifact_root
    return settings


def experiments_url(address: str) -> str:
    """The list of experiments."""
    return f"{address}/#/experiments?{TRAINING}"


def leaderboard_url(address: str, experiment_id: str) -> str:
    """An experiment's trials, the best first."""
    page = f"{address}/#/experiments/{experiment_id}/runs"
    return f"{page}?viewStateShareKey={SHARE_KEY}&{TRAINING}"


def list_leaderboards(address: str) -> dict[str, str]:
    """The leaderboard's address for each experiment that a sweep was logged to."""
    search = f"{address}/api/2.0/mlflow/experiments/search?max_results=1000"
    with urllib.request.urlopen(search, timeout=30) as answer:
        experiments = json.load(answer).get("experiments", [])
    return {
        found["name"]: leaderboard_url(address, found["experiment_id"])
        for found in experiments
        if any(tag["key"] == TAG for tag in found.get("tags", []))
    }


def compare_url(address: str, experiment_id: str, run_ids: Sequence[str]) -> str:
    """The page that sets runs side by side."""
    runs, experiments = (quote(json.dumps(ids)) for ids in (list(run_ids), [experiment_id]))
    return f"{address}/#/compare-runs?runs={runs}&experiments={experiments}"


def _check_database(store: TrackingStore) -> None:
    if store.uri.startswith(SQLITE) and not Path(store.uri.removeprefix(SQLITE)).is_file():
        raise NoResultError(
            "nothing has been logged here yet",
            received=store,
            hint="run a sweep first: tlsearch run sweeps/quickstart.yaml, or set TLSEARCH_HOME",
        )


def _check_port(host: str, port: int) -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise SetupError(
                f"the UI cannot listen on {host}:{port}",
                received=error.strerror,
                hint=f"choose another port: tlsearch ui --port {port + 1}",
            ) from error


def _wait_until_ready(server: subprocess.Popen[bytes], host: str, port: int) -> str:
    address = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"
    deadline = time.monotonic() + STARTUP_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):
                return address
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise SetupError(
        "MLflow's UI did not start",
        received=f"exit code {server.returncode}" if server.returncode else "no answer",
        hint="its own message is above; `mlflow --version` should say 3.16.1 or newer",
    )


@contextmanager
def _ends_on_sigterm() -> Iterator[None]:
    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(server: subprocess.Popen[bytes]) -> None:
    """End the server and its worker: politely, then by force."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, number)
            server.wait(timeout=10)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
