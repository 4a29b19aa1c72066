"""What the tracker lacks of a study is told from the study and the trials' folders."""

from __future__ import annotations

import pandas as pd
import pytest
from optuna.trial import TrialState
from tiny_tracker import ListTracker

from tlsearch.search.reconciliation import Reconciliation
from tlsearch.search.study import SweepStudy
from tlsearch.tracking.records import EpochDone, SweepOpened, TrialEnded, TrialStarted
from tlsearch.tracking.spool import Spool, SpoolFile
from tlsearch.training.trained import TrainedTrial

OPENED = SweepOpened(name="tiny", experiment="tiny", study="1")
FACTS = {"metrics": {"val_accuracy": 0.6}, "seconds": 4.0, "best_epoch": 2, "epochs": 2}


@pytest.fixture
def sweep(make_sweep):
    return make_sweep()


@pytest.fixture
def study(sweep, paths):
    """Three trials that an earlier supervisor has had: complete, failed, and left running."""
    with SweepStudy.open(sweep, paths) as earlier:
        for number in range(3):
            trial = earlier.claim()
            earlier.note(trial, "configuration", earlier.configure(trial).flat())
            for epoch in (1, 2):
                earlier.report(trial, epoch, 0.3 * epoch)
            if number == 0:
                earlier.tell(trial, TrialState.COMPLETE, 0.6, FACTS)
            if number == 1:
                why = {"failure": "nan_loss", "reason": "the loss is NaN"}
                earlier.tell(trial, TrialState.FAIL, None, why)
    with SweepStudy.open(sweep, paths) as opened:
        yield opened


@pytest.fixture
def reconcile(sweep, study, paths):
    """Compares the study with a tracker; the records that the tracker lacks, by trial."""

    def run(tracker):
        folder = paths.sweep("tiny")
        spool = Spool(folder.spool / "me.jsonl", OPENED)
        Reconciliation(sweep, study, folder, spool, 5.0)(tracker, "parent")
        spool.close()
        found = {0: [], 1: [], 2: []}
        for record in SpoolFile(spool.file).all()[1:]:
            found[record.trial].append(record)
        SpoolFile(spool.file).remove()
        return found

    return run


def _knowing(**states):
    tracker = ListTracker()
    tracker.runs = {name.replace("_", "-"): state for name, state in states.items()}
    return tracker


def test_trials_that_the_tracker_never_heard_of_are_told_from_their_beginning(reconcile):
    found = reconcile(_knowing())
    start, *epochs, end = found[0]
    assert isinstance(start, TrialStarted)
    assert start.parameters["train.epochs"] == 20
    assert [(one.epoch, one.metrics) for one in epochs] == [
        (1, {"val_accuracy": 0.3}),
        (2, {"val_accuracy": 0.6}),
    ]
    assert start.at < epochs[0].at < epochs[1].at == end.at
    assert (end.state, end.metrics) == ("complete", {"best_val_accuracy": 0.6, "seconds": 4.0})
    *_, failed = found[1]
    assert (failed.state, failed.reason) == ("failed", "nan_loss: the loss is NaN")
    assert found[2] == []


@pytest.fixture
def history(paths):
    """The folder of the first trial, with the history of its epochs."""
    folder = paths.sweep("tiny").trial(0)
    folder.mkdir(parents=True)
    rows = {"epoch": [1, 2], "loss": [1.0, 0.5], "val_loss": [float("nan"), 0.6]}
    pd.DataFrame(rows).to_csv(folder / "history.csv", index=False)
    return folder


def _epochs(records):
    return [one.metrics for one in records if isinstance(one, EpochDone)]


def test_the_folder_of_a_trial_knows_more_of_its_epochs(reconcile, history):
    found = reconcile(_knowing())
    assert _epochs(found[0]) == [{"loss": 1.0}, {"loss": 0.5, "val_loss": 0.6}]


def test_the_folder_of_another_study_s_trial_knows_nothing(reconcile, history):
    TrainedTrial(history, "another").write_result("", {})
    found = reconcile(_knowing())
    assert _epochs(found[0]) == [{"val_accuracy": 0.3}, {"val_accuracy": 0.6}]


def test_what_the_tracker_has_is_not_told_again(reconcile):
    assert reconcile(_knowing(run_0="complete", run_1="failed")) == {0: [], 1: [], 2: []}


def test_a_run_that_says_otherwise_gets_its_true_end(reconcile):
    found = reconcile(_knowing(run_0="running", run_1="interrupted", run_2="running"))
    assert [found[number][-1].state for number in (0, 1)] == ["complete", "failed"]
    (ended,) = found[2]
    assert isinstance(ended, TrialEnded)
    assert (ended.state, ended.at) == ("interrupted", 5.0)
    assert "nobody trains" in ended.reason


def _tell_elsewhere(paths, study):
    """Another spool that tells of the first trial."""
    opened = OPENED.model_copy(update={"study": study})
    other = Spool(paths.sweep("tiny").spool / "other.jsonl", opened)
    other.append(TrialEnded(trial=0, state="complete"))
    other.close()


def test_what_another_spool_tells_is_left_to_it(reconcile, study, paths):
    _tell_elsewhere(paths, study.key)
    found = reconcile(_knowing())
    assert (found[0], len(found[1])) == ([], 4)


def test_what_a_study_that_was_set_aside_has_left_to_tell_is_not_of_this_one(reconcile, paths):
    _tell_elsewhere(paths, "another")
    found = reconcile(_knowing())
    assert (len(found[0]), len(found[1])) == (4, 4)
