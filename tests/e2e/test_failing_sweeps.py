"""Sweeps in which trials fail: what is left of them, and what is said."""

from __future__ import annotations

import json
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from tiny_sweeps import SWEEP, tlsearch, write_sweep

pytestmark = pytest.mark.slow

RATES = "[1.0e-3, 1.0e+9]"
FIRST = "enqueue: [{learning_rate: 1.0e+9, head_learning_rate: 1.0e+9}, {learning_rate: 1.0e-3}]"
WILD = (
    SWEEP.replace("{type: float, low: 1e-3, high: 1e-2, log: true}", RATES)
    .replace("[feature_extraction, fine_tune]", f"fine_tune\n  learning_rate: {RATES}")
    .replace("{choices: [1, 2], when: {strategy: fine_tune}}", "3")
    .replace("seed: 4}", f"seed: 4, {FIRST}}}")
)
"""At such a rate a head alone stays finite, if nowhere near an answer; three blocks do not."""


def _trials(home):
    storage = f"sqlite:///{home / 'optuna.db'}"
    return optuna.load_study(study_name="tiny", storage=storage).get_trials()


def test_a_trial_that_diverges_fails_and_is_never_best(tmp_path):
    home = tmp_path / "home"
    file = write_sweep(tmp_path / "sweep", WILD.replace("trials: 4", "trials: 2"))
    done = tlsearch(home, "run", file)
    assert done.returncode == 0, done.stderr
    assert [trial.state for trial in _trials(home)] == [TrialState.FAIL, TrialState.COMPLETE]
    assert "trial 0 fail: nan_loss" in done.stderr
    assert "champion: trial 1" in done.stdout
    assert "failed trials" in done.stdout

    listed = tlsearch(home, "trials", file)
    assert "nan_loss" in listed.stdout
    assert "worker-" in listed.stdout
    rows = json.loads(tlsearch(home, "trials", file, "--json").stdout)["data"]
    (failed,) = [row for row in rows if row["state"] == "fail"]
    assert failed["failure"] == "nan_loss"
    assert "NonFiniteLossError" in Path(failed["log"]).read_text(encoding="utf-8")


def test_a_sweep_in_which_every_trial_diverges_stops_at_the_breaker(tmp_path):
    home = tmp_path / "home"
    text = WILD.replace("trials: 4", "trials: 9").replace(RATES, "1.0e+9")
    text = text.replace(", {learning_rate: 1.0e-3}", "")
    text += "on_failure: {max_consecutive: 2}\n"
    done = tlsearch(home, "run", write_sweep(tmp_path / "sweep", text))
    assert done.returncode == 1
    assert done.stderr.count("the last 2 trials failed one after the other") == 1
    assert "nan_loss: the loss is" in done.stderr
    assert "Traceback" not in done.stderr
    assert [trial.state for trial in _trials(home)] == [TrialState.FAIL] * 2
