"""Full disks and homes that may only be read: a clear end, nothing lost, and the sweep goes on."""

from __future__ import annotations

import json
import subprocess
from contextlib import contextmanager

import optuna
import pytest
from faults import environment, has_struck, refuse
from optuna.trial import TrialState
from tiny_sweeps import SWEEP, tlsearch, write_sweep

from serving import Bundle
from tlsearch.paths import Paths

pytestmark = pytest.mark.slow

TEXT = SWEEP.replace("trials: 4", "trials: 2").replace(
    "[feature_extraction, fine_tune]", "feature_extraction"
)
TEXT = TEXT.replace("  unfreeze: {choices: [1, 2], when: {strategy: fine_tune}}\n", "")
NO_FLOOR = "execution.min_free_gb=0"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return write_sweep(tmp_path_factory.mktemp("sweep"), TEXT)


@contextmanager
def _mounted(place, *options):
    place.mkdir(parents=True, exist_ok=True)
    made = subprocess.run(["mount", *options, str(place)], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"nothing can be mounted: {made.stderr.strip()}")
    try:
        yield place
    finally:
        # Lazily, because a worker may be a moment behind the command that has ended.
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def disk(tmp_path):
    """A disk of 64 MiB."""
    with _mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=64m", "tmpfs") as place:
        yield place


def _states(home):
    """Of all trials; the database can be read, whatever has happened."""
    database = home / "optuna.db"
    if not database.exists():
        return []
    storage = optuna.storages.RDBStorage(f"sqlite:///{database}")
    try:
        if "tiny" not in optuna.study.get_all_study_names(storage):
            return []
        study = optuna.load_study(study_name="tiny", storage=storage)
        return [trial.state for trial in study.get_trials()]
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _assert_goes_on(home, file, trials=2):
    """The same command ends well, with exactly the trials of the budget and a whole bundle."""
    again = tlsearch(home, "run", file, NO_FLOOR, f"budget.trials={trials}", "--json")
    assert again.returncode == 0, again.stderr
    assert _states(home) == [TrialState.COMPLETE] * trials
    Bundle.open(Paths(home).sweep("tiny").bundle)
    assert "tracking_left" not in [json.loads(line)["event"] for line in again.stdout.splitlines()]


@pytest.mark.parametrize("left", [0.2, 1, 2, 3])
def test_a_disk_with_few_megabytes_left(disk, file, left):
    home, filler = disk / "home", disk / "filler"
    with filler.open("wb") as written:
        written.write(b"x" * round((64 - left) * 2**20))
    full = tlsearch(home, "run", file, NO_FLOOR)
    assert full.returncode == 3, full.stderr
    assert "Traceback" not in full.stderr
    assert "full" in full.stderr or "No space left" in full.stderr
    assert TrialState.FAIL not in _states(home)
    filler.unlink()
    _assert_goes_on(home, file)


def test_the_floor(disk, file):
    home = disk / "home"
    refused = tlsearch(home, "run", file)
    assert refused.returncode == 3
    assert "too little disk space to begin another trial" in refused.stderr
    assert "at least 1 GB (execution.min_free_gb)" in refused.stderr
    assert _states(home) == []
    _assert_goes_on(home, file)


def test_a_disk_that_may_only_be_read(disk, file):
    home = disk / "home"
    _assert_goes_on(home, file, trials=1)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    refused = tlsearch(home, "run", file, NO_FLOOR)
    assert refused.returncode == 3
    assert "TLSEARCH_HOME cannot be written to" in refused.stderr
    shown = tlsearch(home, "trials", file, "--json")
    assert shown.returncode == 0, shown.stderr
    assert len(json.loads(shown.stdout)["data"]) == 1
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    _assert_goes_on(home, file)


def test_a_sweep_s_folder_that_may_only_be_read(disk, file):
    home = disk / "home"
    _assert_goes_on(home, file, trials=1)
    folder = Paths(home).sweep("tiny").folder
    with _mounted(folder, "-o", "bind,ro", str(folder)):
        subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
        refused = tlsearch(home, "run", file, NO_FLOOR)
    assert refused.returncode == 3, refused.stderr
    assert "Traceback" not in refused.stderr
    assert "cannot be written to" in refused.stderr
    _assert_goes_on(home, file)


def _assert_said(done, struck):
    """A write that failed may be done without, or else the command says what is wrong."""
    assert done.returncode in ((0, 3) if struck else (0,)), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("process", ["supervisor", "worker"])
def test_the_nth_write_fails(tmp_path, file, process):
    """Fifty starts of one sweep, each with a trial more to do, and each with another write."""
    home = tmp_path / "home"
    for nth in range(1, 51):
        faults = environment(tmp_path / f"f{nth}", refuse(home, nth, process))
        done = tlsearch(home, "run", file, f"budget.trials={nth}", **faults)
        _assert_said(done, has_struck(tmp_path / f"f{nth}"))
        states = _states(home)
        assert TrialState.FAIL not in states
        assert len(states) <= nth
    _assert_goes_on(home, file, trials=50)


@pytest.mark.parametrize("nth", [1, 3, 6, 10, 15, 20, 30])
def test_a_disk_that_is_full_from_the_nth_write_on(tmp_path, file, nth):
    home = tmp_path / "home"
    faults = environment(tmp_path / "f", refuse(home, nth, "any", lasting=True))
    done = tlsearch(home, "run", file, NO_FLOOR, **faults)
    assert done.returncode == 3, done.stderr
    assert has_struck(tmp_path / "f")
    assert TrialState.FAIL not in _states(home)
    _assert_goes_on(home, file)
