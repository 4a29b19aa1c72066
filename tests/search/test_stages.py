"""The stages of a sweep, one by one: what a run of little or nothing to do makes of them."""

from __future__ import annotations

import pytest
from optuna.trial import TrialState
from tiny_jobs import local_executor

from tlsearch.data.dataset import prepare
from tlsearch.errors import DataError
from tlsearch.execution.signals import StopRequest
from tlsearch.search.stages import Stages
from tlsearch.search.study import SweepStudy
from tlsearch.tracking.connection import connect
from tlsearch.tracking.location import resolve_uri

DATA = {
    "source": "generated:flowers",
    "generated": {"photos_per_class": 12, "size": 32},
    "split": {"train": 0.4, "validation": 0.4, "test": 0.2},
}
TEST = {"accuracy": 0.5}


@pytest.fixture
def sweep(make_sweep):
    return make_sweep(data=DATA, budget={"trials": 2})


@pytest.fixture
def study(sweep, paths):
    with SweepStudy.open(sweep, paths) as opened:
        yield opened


@pytest.fixture
def executor(tmp_path):
    made = local_executor(tmp_path / "logs")
    yield made
    made.close()


@pytest.fixture
def stages(sweep, paths, study):
    """Of the sweep; what they notify of."""
    notices = []
    return Stages(sweep, paths, study, notices.append, "tlsearch run sweep.yaml"), notices


def _deliver(study, bundle):
    """Two trials, the first of which is the champion, as if they were delivered."""
    bundle.mkdir(parents=True)
    for value, strategy in ((0.9, "fine_tune"), (0.4, "from_scratch")):
        trial = study.claim()
        facts = {"best_value": value, "configuration": {"strategy": strategy}}
        study.tell(trial, TrialState.COMPLETE, value, facts)
        study.note_test(trial.number, TEST)
    study.note_delivery(0, bundle, rival=1)


def test_a_continued_sweep_whose_champion_stays_is_complete_again(
    stages, sweep, paths, study, executor, monkeypatch
):
    """As of one that was given more trials, of which none is better."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    _deliver(study, paths.sweep("tiny").bundle)
    stages, notices = stages
    stages._carry_out(prepare(sweep.data, paths, 32), executor, StopRequest())
    assert [notice.event for notice in notices] == ["delivered"]
    run = connect(resolve_uri(None, None, paths)).get_run(study.run_of(None))
    assert (run.info.status, run.data.metrics) == ("FINISHED", {"test_accuracy": 0.5})
    named = {name: study.run_of(number) for number, name in enumerate(("champion", "rival"))}
    assert {name: run.data.tags[f"tlsearch.{name}"] for name in named} == named


@pytest.mark.parametrize(("is_stored", "started"), [(False, 1), (True, 0)], ids=["cold", "warm"])
def test_workers_start_before_the_photos_are_read(make_sweep, paths, is_stored, started):
    """There are none to read, and that is found out afterwards."""
    if is_stored:
        paths.activations.mkdir(parents=True)
    space = {"backbone": "ResNet10", "strategy": "feature_extraction"}
    sweep = make_sweep(space=space, data={"source": str(paths.home / "no photos")})
    with SweepStudy.open(sweep, paths) as study, pytest.raises(DataError):
        Stages(sweep, paths, study, lambda notice: None, "").carry_out(StopRequest())
    assert len(list(paths.sweep("tiny").logs.glob("worker-*.log"))) == started
