"""Stores that cannot be used: the error names them, and comes without a long wait."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from importlib.util import find_spec

import pytest

from tlsearch.tracking.connection import connect
from tlsearch.tracking.location import TrackingStore
from tlsearch.tracking.mlflow_tracker import MLflowTracker
from tlsearch.tracking.tracker import StoreUnreachable, TrackingError


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_a_server_that_is_down_is_named():
    address = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(StoreUnreachable, match=address) as caught:
        connect(TrackingStore(address))
    assert caught.value.exit_code == 3
    assert "refused" in caught.value.received
    assert "tracking.uri" in caught.value.hint


@pytest.mark.skipif(find_spec("pg8000") is not None, reason="the driver pg8000 is installed")
def test_a_missing_driver_is_named():
    with pytest.raises(TrackingError) as caught:
        connect(TrackingStore("postgresql+pg8000://db/mlflow"))
    assert "pip install pg8000" in caught.value.hint


def test_the_error_comes_through_the_early_opening():
    future = MLflowTracker.open_early(TrackingStore(f"http://127.0.0.1:{free_port()}"))
    with pytest.raises(TrackingError):
        future.result(timeout=60)


def test_a_file_that_is_no_database_is_named(tmp_path):
    (tmp_path / "mlflow.db").write_text("no database at all, but long enough to be read as one")
    with pytest.raises(TrackingError, match=r"mlflow\.db") as caught:
        connect(TrackingStore(f"sqlite:///{tmp_path}/mlflow.db", tmp_path.as_uri()))
    assert not isinstance(caught.value, StoreUnreachable)


def test_a_password_stays_out_of_the_message():
    store = TrackingStore(f"http://anna:s3cret@127.0.0.1:{free_port()}")
    with pytest.raises(TrackingError) as caught:
        connect(store)
    assert "s3cret" not in str(caught.value)


def test_a_new_database_is_made_in_silence(tmp_path):
    script = (
        "import sys; from pathlib import Path\n"
        "from tlsearch.paths import Paths\n"
        "from tlsearch.tracking.location import resolve_uri\n"
        "from tlsearch.tracking.mlflow_tracker import MLflowTracker\n"
        "tracker = MLflowTracker(resolve_uri(None, None, Paths(Path(sys.argv[1]))))\n"
        "parent = tracker.open_sweep('quiet', 'quiet', None, {}, {}, None)\n"
        "tracker.finish_trial(tracker.start_trial(parent, 0, {}, {}), 'complete')\n"
        "tracker.finish_sweep(parent, {'accuracy': 1.0}, {})\n"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW")}
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "home")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home"]
