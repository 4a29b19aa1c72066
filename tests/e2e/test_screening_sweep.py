"""A sweep with more backbones than it keeps, through the real command, twice."""

from __future__ import annotations

import json
from pathlib import Path

import mlflow
import optuna
import pytest
from killable import Killable
from tiny_backbones import save_blind, save_learned
from tiny_sweeps import SWEEP, save_backbone, tlsearch, write_sweep

from tlsearch.config.loading import load
from tlsearch.data.dataset import prepare
from tlsearch.paths import Paths

pytestmark = pytest.mark.slow

SCREENED = SWEEP.replace(
    "backbone: tiny.keras", "backbone: [blind.keras, random.keras, learned.keras, other.keras]"
).replace(
    "seed: 4}",
    "seed: 4, screening: {keep: 1},\n"
    "         enqueue: [{backbone: blind.keras, strategy: feature_extraction}]}",
)


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    written = write_sweep(tmp_path_factory.mktemp("screened"), SCREENED)
    folder = written.parent
    for name in ("random", "other"):
        save_backbone(folder / f"{name}.keras")
    save_blind(folder / "blind.keras")
    paths = Paths(folder / "drawn")
    paths.create()
    save_learned(folder / "learned.keras", prepare(load(written).data, paths, 32), paths)
    return written


@pytest.fixture(scope="module")
def home(file):
    return file.parent / "home"


@pytest.fixture(scope="module")
def shown(file, home):
    """What the first run printed for people."""
    done = tlsearch(home, "run", file)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def again(file, home, shown):
    """The events of a run with a larger budget."""
    done = tlsearch(home, "run", file, "budget.trials=6", "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_ranking_is_a_table_with_the_learned_network_on_top(shown):
    table = [line for line in shown.splitlines() if line.startswith("│")]
    assert [line.split()[1] for line in table] == ["1", "2", "3", "4"]
    assert "learned.keras" in table[0]
    assert "kept" in table[0]
    assert sum("left out" in line for line in table) == 2
    assert "searching learned.keras, blind.keras (screened in" in shown


def test_the_space_is_narrowed_and_the_best_is_tried_first_after_the_users_own(home, again):
    study = optuna.load_study(study_name="tiny", storage=f"sqlite:///{Paths(home).optuna_db}")
    found = [trial.params["backbone"] for trial in study.trials]
    assert found[:2] == ["blind.keras", "learned.keras"]
    assert set(found) == {"blind.keras", "learned.keras"}
    assert len(found) == 6


def test_a_second_run_does_not_screen_again(again):
    events = [event["event"] for event in again]
    assert "screening" not in events
    assert "screened" not in events
    (recalled,) = [event for event in again if event["event"] == "screening_recalled"]
    assert recalled["kept"] == ["learned.keras", "blind.keras"]
    assert sum(event == "trial_started" for event in events) == 2


def test_mlflow_has_the_ranking_once(home, again):
    client = mlflow.MlflowClient(f"sqlite:///{Paths(home).mlflow_db}")
    experiment = client.get_experiment_by_name("tiny")
    runs = client.search_runs([experiment.experiment_id], "tags.`tlsearch.kind` = 'sweep'")
    (parent,) = runs
    accuracy = "screening_accuracy/learned.keras"
    assert parent.data.metrics[accuracy] > parent.data.metrics["screening_accuracy/blind.keras"]
    assert len(client.get_metric_history(parent.info.run_id, accuracy)) == 1
    assert parent.data.tags["tlsearch.screening"] == "learned.keras, blind.keras"
    files = {one.path for one in client.list_artifacts(parent.info.run_id, "screening")}
    assert files == {"screening/screening.json", "screening/screening.csv"}


def test_another_backbone_cannot_come_in_later(file, home, again):
    given = "search.enqueue=[{backbone: other.keras}]"
    refused = tlsearch(home, "run", file, "budget.trials=7", given)
    assert refused.returncode == 2
    assert "screening left out" in refused.stderr


def test_killed_while_it_screens_it_screens_again_from_what_is_stored(file):
    home = file.parent / "killed"
    run = Killable(home, file)
    try:
        run.read_until("probed", trial=None)
    finally:
        run.kill()
    stored = {entry.name for entry in Paths(home).activations.iterdir()}
    assert stored
    done = tlsearch(home, "run", file, "budget.trials=1", "--json")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line)["event"] for line in done.stdout.splitlines()]
    assert events.count("probed") == 4
    assert stored <= {entry.name for entry in Paths(home).activations.iterdir()}


def test_interrupted_while_it_screens_it_says_how_to_continue(file):
    home = file.parent / "interrupted"
    run = Killable(home, file)
    try:
        run.read_until("screening", trial=None)
        run.process.send_signal(2)
        code, stderr = run.end()
    finally:
        run.kill()
    assert code == 130
    assert "stopped while backbones were screened" in stderr
    assert "to continue: tlsearch run" in stderr
    assert run.workers() == []
