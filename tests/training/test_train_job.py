"""A trial as its worker runs it: what a warm store spares it."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
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


KILLED = """
import json, os, pickle, signal, sys
from pathlib import Path
from tlsearch.execution.events import Decision, EpochEnded, Resumed
from tlsearch.training import checkpoint

checkpoint.GATHERED = 0.0
fatal, told = int(sys.argv[2]), []

class Channel:
    def send(self, event):
        pass

    def ask(self, event):
        resumes = isinstance(event, Resumed)
        told.append(["resumed", len(event.epochs)] if resumes else ["epoch", event.epoch])
        if told[-1] == ["epoch", fatal]:
            os.kill(os.getpid(), signal.SIGKILL)
        return Decision.CONTINUE

job = pickle.loads(Path(sys.argv[1]).read_bytes())
result = job.run(Channel())
print(json.dumps([told, result.value, result.best_epoch, result.epochs, result.metrics]))
"""


@pytest.fixture
def run_and_kill(tmp_path):
    """Runs a job in a process that is killed when it reports an epoch; what it told, or None."""

    def do(job, fatal=0):
        file = tmp_path / "job.pickle"
        file.write_bytes(pickle.dumps(job))
        command = [sys.executable, "-c", KILLED, str(file), str(fatal)]
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == (-9 if fatal else 0), done.stderr
        return None if fatal else json.loads(done.stdout.splitlines()[-1])

    return do


def _files(job):
    """What the trial has left, with all arrays and tables read."""
    folder = job.paths.sweep("tiny").trial(job.trial)
    assert {file.name for file in folder.iterdir()} == {
        "learned.npz",
        "validation.npz",
        "history.csv",
        "result.json",
    }
    arrays = {}
    for name in ("learned.npz", "validation.npz"):
        with np.load(folder / name) as opened:
            arrays |= {f"{name}/{key}": array.tobytes() for key, array in opened.items()}
    return arrays, (folder / "history.csv").read_text()


def test_a_killed_trial_goes_on_after_its_last_epoch(job, run_and_kill):
    """In a process of its own it learns bit for bit what one start would have; a trial that is
    over already, and was not told to be, is not trained again."""
    train = job(0).sweep.train.model_copy(update={"epochs": 5, "head_epochs": 2})
    values = {"strategy": "fine_tune", "unfreeze": 2, "dropout": 0.3, "learning_rate": 1e-2}

    def make(study):
        one = job(9, **values)
        return replace(one, sweep=one.sweep.model_copy(update={"train": train}), study=study)

    undisturbed = run_and_kill(make("undisturbed"))
    expected = _files(make("undisturbed"))
    assert undisturbed[0] == [["epoch", number] for number in range(1, 6)]

    killed = make("killed")
    run_and_kill(killed, fatal=4)
    told, *result = run_and_kill(killed)
    resumed, *epochs = told
    # The checkpoint of the fourth epoch is written while the epoch is reported.
    assert resumed[0] == "resumed"
    assert resumed[1] in (3, 4)
    assert epochs == [["epoch", number] for number in range(resumed[1] + 1, 6)]
    assert result == undisturbed[1:]
    assert _files(killed) == expected

    learned = killed.paths.sweep("tiny").trial(9) / "learned.npz"
    written = learned.stat().st_mtime_ns
    told, *result = run_and_kill(killed)
    assert told == [["resumed", 5]]
    assert result == undisturbed[1:]
    assert _files(killed) == expected
    assert learned.stat().st_mtime_ns == written


def test_what_a_trial_is_made_by(job):
    one = job(3)
    digest = one._made_by("weights")
    assert replace(one, parts=4)._made_by("weights") == digest
    others = [
        one._made_by("other weights"),
        job(4)._made_by("weights"),
        job(3, dropout=0.5)._made_by("weights"),
        replace(one, study="another")._made_by("weights"),
        replace(one, dataset=replace(one.dataset, digest="other"))._made_by("weights"),
    ]
    assert len({digest, *others}) == 6


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
