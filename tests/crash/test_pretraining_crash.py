"""A pretraining that is killed or interrupted goes on where it was, and ends the same."""

from __future__ import annotations

import os
import signal

import numpy as np
import pandas as pd
import pytest
from killable import Killable
from tiny_jobs import is_alive, wait_until
from tiny_sweeps import tlsearch

pytestmark = pytest.mark.slow

RECIPE = """\
version: 1
name: tiny
backbone: {name: ResNet10, weights: random}
image_size: 32
method: supervised
data:
  source: generated:patterns
  patterns: {patterns: 8, pictures_per_epoch: 256, passes: 1, processes: 1}
train: {epochs: 4, batch_size: 32}
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "recipe.yaml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, file):
    home = tmp_path_factory.mktemp("undisturbed") / "home"
    done = tlsearch(home, "pretrain", file)
    assert done.returncode == 0, done.stderr
    return _losses(home)


def _losses(home):
    return pd.read_csv(home / "pretraining" / "tiny" / "steps.csv")


def _started(home, file):
    running = Killable(home, file, "pretrain")
    running.read_until("pretraining_epoch", trial=None, epoch=2)
    return running


def test_kill_of_the_supervisor(tmp_path, file, undisturbed):
    home = tmp_path / "home"
    running = _started(home, file)
    workers = running.workers()
    os.kill(running.process.pid, signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, workers)))
    again = tlsearch(home, "pretrain", file)
    assert again.returncode == 0, again.stderr
    assert "of them done: continuing" in again.stderr
    _assert_same(_losses(home), undisturbed)


def test_kill_of_the_worker(tmp_path, file):
    home = tmp_path / "home"
    running = _started(home, file)
    os.kill(running.workers()[0], signal.SIGKILL)
    status, stderr = running.end()
    assert status == 1
    assert "signal 9" in stderr
    assert "what is done is kept" in stderr
    assert tlsearch(home, "pretrain", file).returncode == 0


def test_ctrl_c(tmp_path, file, undisturbed):
    home = tmp_path / "home"
    running = _started(home, file)
    os.killpg(running.process.pid, signal.SIGINT)
    status, stderr = running.end()
    assert status == 130
    assert "to continue: tlsearch pretrain" in stderr
    assert tlsearch(home, "pretrain", file).returncode == 0
    _assert_same(_losses(home), undisturbed)


def _assert_same(received, expected):
    """Every step once, with the loss of an undisturbed run up to the order of additions."""
    assert received["step"].tolist() == expected["step"].tolist()
    np.testing.assert_allclose(received["loss"], expected["loss"], rtol=2e-2)
