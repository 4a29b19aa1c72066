"""A trial as its worker runs it: what a warm store spares it."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from dataclasses import replace

import pytest
from tiny_sweeps import save_backbone

from tlsearch.config.configuration import Configuration
from tlsearch.config.schema import BackboneChoice, Sweep
from tlsearch.data.dataset import prepare
from tlsearch.paths import Paths
from tlsearch.training.job import TrainJob, saving
from tlsearch.training.trained import TrainedTrial

HEAVY = ("keras", "tensorflow", "sklearn", "onnxruntime", "mlflow", "optuna")
RUN = f"""
import json, pickle, sys
from pathlib import Path
from tlsearch.execution.events import Decision, Started

told, judged = [], []

class Channel:
    def send(self, event):
        if isinstance(event, Started):
            told.append([event.total_parameters, event.trainable_parameters])
        else:
            judged.append([event.cut, event.stores, event.bytes_, event.why])

    def ask(self, event):
        told.append(dict(event.metrics))
        return Decision.CONTINUE

result = pickle.loads(Path(sys.argv[1]).read_bytes()).run(Channel())
loaded = [name for name in {HEAVY} if name in sys.modules]
print(json.dumps([result.value, result.state, told, loaded, judged]))
"""


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """Makes a job about drawn photos; all of them share one home."""
    folder = tmp_path_factory.mktemp("jobs")
    own = BackboneChoice(name=str(save_backbone(folder / "tiny.keras")))
    paths = Paths(folder / "home")
    paths.create()
    sweep = Sweep.model_validate(
        {
            "version": 1,
            "name": "tiny",
            "data": {
                "source": "generated:flowers",
                "generated": {"photos_per_class": 8, "size": 48},
                "split": {"train": 0.6, "validation": 0.2, "test": 0.2, "seed": 7},
                "views": 2,
            },
            "space": {
                "backbone": [{"name": own.name}, "ResNet10"],
                "image_size": 32,
                "strategy": ["feature_extraction", "fine_tune"],
                "unfreeze": {"choices": [1, 2], "when": {"strategy": "fine_tune"}},
            },
            "budget": {"trials": 6},
            "train": {"epochs": 2, "head_epochs": 1, "batch_size": 16},
            "store": {"use": "always"},
        }
    )
    dataset = prepare(sweep.data, paths, 32)

    def make(trial, backbone=own, **values):
        plain = {"backbone": backbone, "image_size": 32, "augment": "light"}
        configuration = Configuration(**{**plain, **values})
        return TrainJob(trial, sweep, configuration, dataset, paths)

    return make


@pytest.fixture
def run(tmp_path):
    """Runs a job in a process of its own: value, state, what it told, heavy modules it loaded."""

    def do(job):
        file = tmp_path / "job.pickle"
        file.write_bytes(pickle.dumps(job))
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
        done = subprocess.run(
            [sys.executable, "-c", RUN, str(file)], capture_output=True, text=True, env=environment
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return do


@pytest.mark.parametrize(
    "backbone", [None, BackboneChoice(name="ResNet10")], ids=["own file", "built in"]
)
def test_a_head_on_a_warm_store_loads_no_framework(job, run, backbone):
    chosen = {"backbone": backbone} if backbone else {}
    _, state, first, loaded, judged = run(job(0, **chosen))
    assert state == "complete"
    assert {cut for cut, *_ in judged} >= {"pooled"}
    for _, stores, bytes_, why in judged:
        assert stores
        assert bytes_ > 0
        assert why.startswith("store.use is always (")
    assert {"keras", "tensorflow", "sklearn"} <= set(loaded)

    other = job(1, **chosen, head_learning_rate=1e-2, hidden_units=8, dropout=0.4)
    probe_again = replace(job(2, **chosen), configuration=job(0, **chosen).configuration)
    for one in (other, probe_again):
        value, state, told, loaded, judged = run(one)
        assert judged == [["pooled", True, 0, "it is stored"]]
        assert loaded == []
        assert state == "complete"
        assert value == max(epoch["val_accuracy"] for epoch in told[1:])
        assert TrainedTrial(one.paths.sweep("tiny").trial(one.trial)).is_whole
    assert told[0] == first[0]


def test_what_is_expected_of_the_store_follows_from_the_sweep(job):
    sweep = job(0).sweep
    told = saving(sweep)
    assert (told.use, told.deepest) == ("always", 2)
    heads = sweep.space.strategy.model_copy(update={"choices": ["feature_extraction"]})
    space = sweep.space.model_copy(update={"strategy": heads})
    assert saving(sweep.model_copy(update={"space": space})).deepest == 0


def test_trials_have_seeds_of_their_own(job):
    assert len({job(number).seed for number in range(5)}) == 5
    assert job(3).seed == job(3).seed
