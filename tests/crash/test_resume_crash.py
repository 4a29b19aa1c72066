"""Kills in the midst of a trial whose epochs take their time: it goes on after the last of them."""

from __future__ import annotations

import os
import signal

import numpy as np
import optuna
import pytest
from killable import Killable
from optuna.trial import TrialState
from tiny_sweeps import SWEEP, tlsearch, write_sweep

pytestmark = pytest.mark.slow

EPOCHS = 6
TEXT = (
    SWEEP.replace("trials: 4", "trials: 1")
    .replace("photos_per_class: 20", "photos_per_class: 60")
    .replace("[feature_extraction, fine_tune]", "fine_tune")
    .replace("  unfreeze: {choices: [1, 2], when: {strategy: fine_tune}}", "  unfreeze: 2")
    .replace(
        "epochs: 3, head_epochs: 1, batch_size: 16",
        f"epochs: {EPOCHS}, head_epochs: 0, batch_size: 1",
    )
)
"""Steps of one photo each make epochs of seconds: none is too quick for a checkpoint."""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return write_sweep(tmp_path_factory.mktemp("sweep"), TEXT)


def _trial(home):
    storage = f"sqlite:///{home / 'optuna.db'}"
    (trial,) = optuna.load_study(study_name="tiny", storage=storage).get_trials()
    return trial


def _learned(home):
    with np.load(home / "sweeps" / "tiny" / "trials" / "00000" / "learned.npz") as file:
        return dict(file)


def _assert_goes_on(events, last):
    """After an epoch that was reported as the last one: one epoch at most is trained again."""
    kinds = [event["event"] for event in events]
    resumed = next(event for event in events if event["event"] == "trial_resumed")
    assert resumed["epoch"] >= last - 1
    later = events[kinds.index("trial_resumed") :]
    epochs = [event["epoch"] for event in later if event["event"] == "epoch"]
    assert epochs == [*range(resumed["epoch"] + 1, EPOCHS + 1)]


def test_kills_cost_an_epoch_at_most_each(running, home, file, tmp_path):
    running.read_until("epoch", epoch=2)
    worker, *_ = running.workers()
    os.kill(worker, signal.SIGKILL)
    running.read_until("trial_resumed")
    resumed = running.events[-1]["epoch"]
    assert resumed >= 1
    running.read_until("epoch", epoch=4)
    seen = [event["epoch"] for event in running.of_kind("epoch")]
    assert seen == [1, 2, *range(resumed + 1, 5)]
    running.process.kill()
    running.process.wait()

    again = Killable(home, file)
    status, stderr = again.end()
    assert status == 0, stderr
    _assert_goes_on(again.events, 4)
    trial = _trial(home)
    assert trial.state is TrialState.COMPLETE
    assert sorted(trial.intermediate_values) == [*range(1, EPOCHS + 1)]
    left = {path.name for path in (home / "sweeps" / "tiny" / "trials" / "00000").iterdir()}
    assert not [name for name in left if name.startswith(("checkpoint", "writing"))]

    other = tmp_path / "undisturbed"
    done = tlsearch(other, "run", file)
    assert done.returncode == 0, done.stderr
    assert _trial(other).params == trial.params
    assert _trial(other).intermediate_values == trial.intermediate_values
    expected, learned = _learned(other), _learned(home)
    assert expected.keys() == learned.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(learned[name], array)


def test_an_interrupted_trial_goes_on_after_its_last_epoch(running, home, file):
    running.read_until("epoch", epoch=2)
    os.kill(running.process.pid, signal.SIGTERM)
    status, stderr = running.end()
    assert status == 143
    assert "goes on after its last epoch next time" in stderr
    last = max(event["epoch"] for event in running.of_kind("epoch"))

    again = Killable(home, file)
    status, stderr = again.end()
    assert status == 0, stderr
    (resumed,) = again.of_kind("trial_resumed")
    assert resumed["epoch"] == last
    _assert_goes_on(again.events, last)
    assert _trial(home).user_attrs["attempts"] == 1
