"""A home that an earlier version left behind in the midst of a sweep is opened and gone on with.

`home-VERSION.tar.gz` was made by `make_home.py` with that version: one trial complete, one killed
after its second epoch, with its checkpoint and with a spool that MLflow has not confirmed. Files
of released versions stay for ever.
"""

from __future__ import annotations

import shutil
import sqlite3
import tarfile
from pathlib import Path

import pytest
from make_home import EPOCHS, PLACE, SWEEP, TRIALS
from swept import assert_finished, state_of
from tiny_sweeps import tlsearch

from serving import Bundle
from tlsearch.paths import Paths

HOMES = sorted(Path(__file__).parent.glob("home-*.tar.gz"))


@pytest.fixture(params=HOMES, ids=lambda path: path.name.removesuffix(".tar.gz"))
def home(request, tmp_path):
    """The home, in another place than where it was made."""
    with tarfile.open(request.param) as archive:
        archive.extractall(tmp_path, filter="data")
    _move_artifacts(tmp_path / "home")
    return tmp_path / "home"


def _move_artifacts(home):
    """MLflow keeps whole addresses of artifacts, and so has to be told that they were moved."""
    with sqlite3.connect(home / "mlflow.db") as database:
        for table, column in (("experiments", "artifact_location"), ("runs", "artifact_uri")):
            database.execute(
                f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (PLACE, str(home.parent))
            )


def test_there_is_a_home():
    assert HOMES


def test_it_goes_on_where_it_was_left(home, tmp_path):
    file = tmp_path / "sweep.yaml"
    file.write_text(SWEEP)
    (before, left), *_ = state_of(home, registered=False)
    assert (before[1], left[1], left[3]) == ("COMPLETE", "RUNNING", [1, 2])
    shown = tlsearch(home, "trials", file)
    assert shown.returncode == 0, shown.stderr

    done = tlsearch(home, "run", file)
    assert done.returncode == 0, done.stderr
    assert "trial 1 resumes after epoch 2" in done.stderr
    assert_finished(home, TRIALS, EPOCHS)
    assert state_of(home)[0][0] == before
    Bundle.open(Paths(home).sweep("tiny").bundle)
    shutil.rmtree(home)
