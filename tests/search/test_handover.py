"""The end of a sweep: what is left to be done for its champion, and what is not."""

from __future__ import annotations

import numpy as np
import pytest
from optuna.trial import TrialState
from tiny_jobs import Asks, local_executor
from tiny_tracker import ListTracker, TinyReports, make_recorder

from tlsearch.errors import NoResultError
from tlsearch.search.delivery import Delivery
from tlsearch.search.handover import Handover
from tlsearch.search.study import SweepStudy
from tlsearch.training.trained import TrainedTrial

VALUE = 0.6


class NoExport(Delivery):
    """Comes as far as the export."""

    def export(self, *_, **__):
        raise NoResultError("nothing is exported here")


@pytest.fixture
def sweep(make_sweep):
    return make_sweep()


@pytest.fixture
def study(sweep, paths):
    """One complete trial."""
    with SweepStudy.open(sweep, paths) as opened:
        trial = opened.claim()
        opened.tell(trial, TrialState.COMPLETE, VALUE, {"best_value": VALUE})
        yield opened


@pytest.fixture
def carry_out(sweep, study, paths, tmp_path):
    """Delivers up to the export; the names of the notices."""

    def run():
        notices = []
        recorder = make_recorder(ListTracker(), sweep, TinyReports(tmp_path), notices.append)
        handover = Handover(sweep, paths.sweep("tiny"), study, notices.append)
        delivery = NoExport(sweep, paths, None, notices.append)
        executor = local_executor(tmp_path / "logs")
        with pytest.raises(NoResultError, match="nothing is exported"):
            handover.carry_out(delivery, lambda n, *_: Asks(n, (VALUE,)), recorder, executor)
        executor.close()
        recorder.close()
        return [notice.event for notice in notices]

    return run


def _leave(paths, study):
    """The files of the trial, as one of this study."""
    trained = TrainedTrial(paths.sweep("tiny").trial(0), study)
    trained.write({"head": [np.ones(3)]}, "", np.full((1, 2), 0.5, np.float32), [{"epoch": 1}])
    trained.write_result("", {})


def test_weights_of_the_study_are_delivered(carry_out, study, paths):
    _leave(paths, study.key)
    assert carry_out() == ["champion"]


def test_weights_that_another_study_has_left_are_not(carry_out, study, paths):
    """As by `--new`, or by a change of the database, in the same home."""
    _leave(paths, "another")
    assert carry_out() == ["champion", "training_again"]
