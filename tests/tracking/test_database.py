"""MLflow's database is there whole or not at all, whenever the process that makes it dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from faults import environment, kill

CONNECT = """
import sys
from tlsearch.tracking.connection import connect
from tlsearch.tracking.location import TrackingStore
client = connect(TrackingStore("sqlite:///" + sys.argv[1]))
print(client.create_experiment("flowers"))
"""

MIDST = "alembic.operations.batch:ApplyBatchImpl._create"
"""MLflow's migrations copy a table to another name here, and then rename that."""


def _connect(database, **extra):
    return subprocess.run(
        [sys.executable, "-c", CONNECT, str(database)],
        env={**os.environ, **extra},
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize("nth", [1, 4])
def test_a_kill_in_the_midst_of_the_migrations(tmp_path, nth):
    database = tmp_path / "mlflow.db"
    killed = _connect(database, **environment(tmp_path / "f", kill(MIDST, nth=nth)))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not database.exists()
    again = _connect(database)
    assert again.returncode == 0, again.stderr
    assert list(tmp_path.glob("*.making*")) == []


def test_what_is_there_stays(tmp_path):
    database = tmp_path / "mlflow.db"
    first, second = _connect(database), _connect(database)
    assert first.returncode == 0, first.stderr
    assert second.returncode == 1
    assert "already exists" in second.stderr
