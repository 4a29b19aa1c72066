"""What a supervisor takes from the spools that lie in its sweep's folder, and what it does not."""

from __future__ import annotations

import pytest
from optuna.trial import TrialState

from tlsearch.search.recording import Recording
from tlsearch.search.reports import Reports
from tlsearch.search.study import SweepStudy
from tlsearch.tracking.records import FilesWritten, SweepOpened
from tlsearch.tracking.spool import Spool


class Owed(Reports):
    """Every report is missing."""

    def is_missing(self, number, run):
        return True

    def write(self, number, configuration):
        raise NotImplementedError

    def close(self):
        pass


class Asked:
    """Keeps which reports are to be drawn."""

    def __init__(self):
        self.reports = []

    def report(self, number, configuration):
        self.reports.append(number)


@pytest.fixture
def sweep(make_sweep):
    return make_sweep()


@pytest.fixture
def study(sweep, paths):
    """One complete trial."""
    with SweepStudy.open(sweep, paths) as earlier:
        earlier.tell(earlier.claim(), TrialState.COMPLETE, 0.6, {"best_value": 0.6})
    with SweepStudy.open(sweep, paths) as opened:
        yield opened


@pytest.fixture
def recording(sweep, paths, study):
    return Recording(sweep, paths, study, None, lambda notice: None)


def test_runs_of_a_study_that_was_set_aside_are_not_those_of_this_one(recording, study):
    recording._note_run("another", 0, "old")
    assert study.run_of(0) is None
    recording._note_run(study.key, 0, "new")
    recording._note_run("another", None, "old")
    assert (study.run_of(0), study.run_of(None)) == ("new", None)


@pytest.mark.parametrize(("is_mine", "drawn"), [(True, []), (False, [0])])
def test_a_report_that_a_spool_tells_of_is_drawn_already(recording, study, paths, is_mine, drawn):
    opened = SweepOpened(name="tiny", experiment="e", study=study.key if is_mine else "another")
    spool = Spool(paths.sweep("tiny").spool / "dead.jsonl", opened)
    spool.append(FilesWritten(trial=0, folder="trials/00000/report"))
    spool.close()
    asked = Asked()
    recording._catch_up(asked, Owed())
    assert asked.reports == drawn
