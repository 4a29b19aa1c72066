"""Below the floor of free space no trial is begun; what runs ends, and the next start goes on."""

from __future__ import annotations

import os
import shutil

import pytest
from optuna.trial import TrialState
from tiny_jobs import Asks, local_executor
from tiny_tracker import ListTracker, TinyReports, make_recorder

from tlsearch.disk import Floor
from tlsearch.errors import DiskError
from tlsearch.execution.signals import StopRequest
from tlsearch.search.study import SweepStudy
from tlsearch.search.supervisor import Supervisor

MARGIN = 400 * 10**6
"""More than others write meanwhile."""


@pytest.fixture
def search(paths, tmp_path):
    """Searches above a floor; the states that the trials then have. `notify` is told notices."""
    executor = local_executor(tmp_path / "logs")

    def run(sweep, floor, notify=lambda notice: None):
        with SweepStudy.open(sweep, paths) as study:
            reports = TinyReports(paths.sweep(sweep.name).folder)
            recorder = make_recorder(ListTracker(), sweep, reports, notify, study.note_run)
            supervisor = Supervisor(sweep, study, executor, _training, recorder, notify)
            try:
                supervisor.search(StopRequest(), floor)
            finally:
                recorder.close()
            return [trial.state for trial in study.trials()]

    yield run
    executor.close()


def _training(number, *_):
    return Asks(number, (0.5, 0.6))


def _states(sweep, paths):
    return [trial.state for trial in SweepStudy.find(sweep, paths).trials()]


def test_space_that_runs_out_and_comes_back(search, make_sweep, paths, tmp_path):
    sweep, filler = make_sweep(), tmp_path / "filler"
    free = shutil.disk_usage(tmp_path).free
    if free < 10 * MARGIN:
        pytest.skip("too little disk space to fill some of it")
    floor = Floor((paths.home, paths.store), (free - MARGIN) / 10**9)

    def fill(notice):
        if notice.event == "epoch" and notice.data["trial"] == 1 and not filler.exists():
            with filler.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, 2 * MARGIN)

    with pytest.raises(DiskError, match="too little disk space") as refused:
        search(sweep, floor, fill)
    assert refused.value.exit_code == 3
    assert "execution.min_free_gb" in str(refused.value)
    assert _states(sweep, paths) == [TrialState.COMPLETE] * 2
    filler.unlink()
    assert search(sweep, floor) == [TrialState.COMPLETE] * 4


def test_a_spent_budget_needs_no_space(search, make_sweep, paths):
    sweep = make_sweep(budget={"trials": 1})
    assert search(sweep, Floor((), 0)) == [TrialState.COMPLETE]
    assert search(sweep, Floor((paths.home,), 10**9)) == [TrialState.COMPLETE]


def test_too_little_from_the_start(search, make_sweep, paths):
    with pytest.raises(DiskError):
        search(make_sweep(), Floor((paths.home,), 10**9))
    assert _states(make_sweep(), paths) == []
