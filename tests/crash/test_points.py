"""Killed once at each named point, a sweep ends as one that was left alone.

The supervisor is killed and the same command is given again; a killed worker is replaced while the
command goes on.
"""

from __future__ import annotations

import json
import signal

import pytest
from faults import calls, count, environment, has_struck, kill
from swept import assert_finished, champion_of, state_of
from tiny_sweeps import SWEEP, tlsearch, write_sweep

from serving import Bundle
from tlsearch.paths import Paths

pytestmark = pytest.mark.slow

TRIALS, EPOCHS = 3, 3
TEXT = SWEEP.replace("trials: 4", f"trials: {TRIALS}")
LEARN = "tlsearch.training.learner:Learner.learn"
PAUSE = 0.6
"""Seconds more for each epoch: quicker ones are gathered before a checkpoint is written."""

SUPERVISOR = {
    "after ask": kill("tlsearch.search.claims:Claims.ask", "after", 2),
    "before the job is sent": kill("tlsearch.search.study:SweepStudy.configure", "after", 2),
    "before an epoch is reported": kill("tlsearch.search.study:SweepStudy.report", nth=5),
    "after an epoch was reported": kill("tlsearch.search.study:SweepStudy.report", "after", 5),
    "after finish before tell": kill("tlsearch.search.study:SweepStudy.tell", nth=2),
    "after tell": kill("tlsearch.search.study:SweepStudy.tell", "after", 2),
    "in the end of the last trial": kill("tlsearch.search.study:SweepStudy.tell", "after", TRIALS),
    "before registration": kill("tlsearch.tracking.registry:register_bundle"),
    "during registration, before the version": kill("tlsearch.tracking.registry:_create_version"),
    "during registration, before the alias": kill(
        "tlsearch.tracking.registry:_create_version", "after"
    ),
    "after registration": kill("tlsearch.tracking.registry:register_bundle", "after"),
    "before the delivery is noted": kill("tlsearch.search.notes:StudyNotes.note_delivery"),
}
WORKER = {
    "mid-epoch": kill("tlsearch.training.head_learner:HeadLearner.answer", nth=2),
    "in an epoch of fine-tuning": kill("tlsearch.training.keras_learner:KerasLearner.answer"),
    "before a checkpoint": kill("tlsearch.training.checkpoint:Checkpoints.save", nth=5),
    "between checkpoint and event": kill(
        "tlsearch.training.checkpoint:Checkpoints.save", "after", 5
    ),
    "before what was learned is written": kill("tlsearch.training.trained:TrainedTrial.write"),
    "before the result is written": kill("tlsearch.training.trained:TrainedTrial.write_result"),
    "after the result was written": kill(
        "tlsearch.training.trained:TrainedTrial.write_result", "after"
    ),
}
EXPORT = {
    "during export, before its files": kill("tlsearch.export.golden:write_golden"),
    "during export, in the midst of its files": kill("tlsearch.export.card:model_card"),
    "during export, before it takes its name": kill("tlsearch.files:_exchange"),
}
"""These kill the worker too, but an export is not tried twice by one command."""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return write_sweep(tmp_path_factory.mktemp("sweep"), TEXT)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, file):
    home = tmp_path_factory.mktemp("undisturbed") / "home"
    learned = home.parent / "learned"
    done = tlsearch(
        home, "run", file, **environment(home.parent / "f", count(LEARN, learned, PAUSE))
    )
    assert done.returncode == 0, done.stderr
    assert calls(learned) == TRIALS * EPOCHS
    return state_of(home), champion_of(home)


def _assert_bundle_is_whole_or_absent(home):
    bundle = Paths(home).sweep("tiny").bundle
    if bundle.exists():
        Bundle.open(bundle)


def _assert_same(home, undisturbed, learned, kills=1):
    """As if nothing had happened, and at most one epoch was trained again for each kill."""
    assert_finished(home, TRIALS, EPOCHS)
    assert (state_of(home), champion_of(home)) == undisturbed
    assert TRIALS * EPOCHS <= calls(learned) <= TRIALS * EPOCHS + kills


@pytest.fixture
def run(tmp_path, file):
    """Runs the sweep with a fault; a second time without, but both times epochs are counted."""
    home, learned = tmp_path / "home", tmp_path / "learned"

    def run_with(*faults):
        extra = environment(tmp_path / "f", count(LEARN, learned, PAUSE), *faults)
        return tlsearch(home, "run", file, "--json", **extra)

    return run_with


@pytest.mark.parametrize("point", SUPERVISOR)
def test_a_killed_supervisor(tmp_path, run, undisturbed, point):
    killed = run(SUPERVISOR[point])
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    _assert_bundle_is_whole_or_absent(tmp_path / "home")
    again = run()
    assert again.returncode == 0, again.stderr
    _assert_same(tmp_path / "home", undisturbed, tmp_path / "learned")


@pytest.mark.parametrize("point", WORKER)
def test_a_killed_worker(tmp_path, run, undisturbed, point):
    done = run({**WORKER[point], "process": "worker"})
    assert done.returncode == 0, done.stderr
    assert has_struck(tmp_path / "f", 1)
    events = [json.loads(line)["event"] for line in done.stdout.splitlines()]
    assert events.count("trial_retried") == 1
    _assert_same(tmp_path / "home", undisturbed, tmp_path / "learned")


@pytest.mark.parametrize("point", EXPORT)
def test_a_worker_that_is_killed_while_it_exports(tmp_path, run, undisturbed, point):
    killed = run({**EXPORT[point], "process": "worker"})
    assert killed.returncode == 1, killed.stderr
    assert has_struck(tmp_path / "f", 1)
    assert not Paths(tmp_path / "home").sweep("tiny").bundle.exists()
    again = run()
    assert again.returncode == 0, again.stderr
    _assert_same(tmp_path / "home", undisturbed, tmp_path / "learned", kills=0)
