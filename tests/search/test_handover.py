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
from tlsearch.search.notes import DELIVERED
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


def _complete(study, value, strategy):
    facts = {"best_value": value, "configuration": {"strategy": strategy}}
    study.tell(study.claim(), TrialState.COMPLETE, value, facts)


@pytest.fixture
def study(sweep, paths):
    """One complete trial."""
    with SweepStudy.open(sweep, paths) as opened:
        _complete(opened, VALUE, "fine_tune")
        yield opened


@pytest.fixture
def handover(sweep, study, paths):
    return Handover(sweep, paths.sweep("tiny"), study, lambda notice: None)


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


def test_a_new_champion_or_rival_is_to_be_delivered(handover, study, paths):
    bundle = paths.sweep("tiny").bundle
    bundle.mkdir(parents=True)
    assert not handover.is_done()
    study.note_delivery(0, bundle)
    assert handover.is_done()
    _complete(study, 0.3, "from_scratch")
    assert not handover.is_done()
    study.note_delivery(0, bundle, rival=1)
    assert handover.is_done()
    _complete(study, 0.2, "from_scratch")
    assert handover.is_done()
    _complete(study, 0.9, "fine_tune")
    assert not handover.is_done()


def test_a_rival_that_an_earlier_version_has_noted_nothing_of_was_judged(handover, study, paths):
    bundle = paths.sweep("tiny").bundle
    bundle.mkdir(parents=True)
    study._study.set_user_attr(DELIVERED, 0)
    _complete(study, 0.3, "from_scratch")
    assert handover.is_done()


def test_what_lies_in_another_home_is_left_as_it_is(handover, study, tmp_path):
    bundle = tmp_path / "there" / "bundle"
    bundle.mkdir(parents=True)
    study.note_delivery(0, bundle)
    _complete(study, 0.3, "from_scratch")
    assert handover.is_done()
