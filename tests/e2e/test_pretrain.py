"""`tlsearch pretrain`, from its recipe to a sweep that starts from its weights."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from mlflow import MlflowClient
from tiny_sweeps import tlsearch

pytestmark = pytest.mark.slow

RECIPE = """\
version: 1
name: tiny-simclr
backbone: {name: ResNet10, weights: builtin}
image_size: 32
method: simclr
data:
  source: generated:flowers
  generated: {photos_per_class: 20, size: 64}
  split: {train: 0.6, validation: 0.2, test: 0.2, seed: 7}
train: {epochs: 2, batch_size: 16}
probe: {source: generated:flowers, every: 1}
output: {path: here.weights.h5}
"""
SWEEP = """\
version: 1
name: tiny
data:
  source: generated:flowers
  generated: {photos_per_class: 20, size: 64}
  split: {train: 0.6, validation: 0.2, test: 0.2, seed: 7}
budget: {trials: 1}
space: {backbone: {name: ResNet10, weights: here.weights.h5}, image_size: 32}
train: {epochs: 1, batch_size: 16}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pretrain")
    (folder / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    (folder / "sweep.yaml").write_text(SWEEP, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def done(folder):
    process = tlsearch(folder / "home", "pretrain", folder / "recipe.yaml")
    assert process.returncode == 0, process.stderr
    return process


def test_it_says_what_came_of_it(done, folder):
    assert re.match(r"\d+ pictures in 2 epochs: loss \d", done.stdout)
    assert "linear probe: accuracy" in done.stdout
    assert "backbone: {name: ResNet10, weights: here.weights.h5}" in done.stdout
    assert (folder / "here.weights.h5").stat().st_size > 1_000_000


def test_it_is_tracked(done, folder):
    client = MlflowClient(f"sqlite:///{folder / 'home' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("tiny-simclr")
    [run] = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.tags["tlsearch.kind"] == "pretraining"
    assert run.data.params["simclr.temperature"] == "0.2"
    assert {"loss", "probe_accuracy", "pictures"} <= run.data.metrics.keys()
    assert len(client.get_metric_history(run.info.run_id, "loss")) == 2
    files = {item.path for item in client.list_artifacts(run.info.run_id)}
    assert {"backbone.weights.h5", "history.csv", "recipe.yaml", "steps.csv"} <= files


def test_again_there_is_nothing_to_do(done, folder):
    again = tlsearch(folder / "home", "pretrain", folder / "recipe.yaml")
    assert again.returncode == 0, again.stderr
    assert again.stdout == done.stdout
    assert "2 of them done" in again.stderr


def test_another_recipe_under_the_name_is_refused(done, folder):
    other = tlsearch(folder / "home", "pretrain", folder / "recipe.yaml", "seed=5")
    assert other.returncode == 2
    assert "seed: 0 -> 5" in other.stderr
    assert "--new" in other.stderr


def test_json_is_one_event_a_line(folder):
    command = ("pretrain", folder / "recipe.yaml", "name=other", "train.epochs=1", "--json")
    events = [json.loads(line) for line in tlsearch(folder / "home", *command).stdout.splitlines()]
    kinds = [event["event"] for event in events]
    assert kinds == ["pretraining_opened", "photos_ready", "pretraining_epoch", "pretrained"]
    assert events[-1]["weights"].endswith("here.weights.h5")


def test_a_sweep_starts_from_its_weights(done, folder):
    swept = tlsearch(folder / "home", "run", folder / "sweep.yaml")
    assert swept.returncode == 0, swept.stderr
    assert "ResNet10(weights=here.weights.h5)" in swept.stdout
