"""Thirty kills at random moments, of the supervisor or of a worker: as if nothing had happened.

The moments follow from the seed and from what the sweep prints, so that a busy machine meets the
same ones: after so many lines the supervisor, or one of its workers, is killed.
"""

from __future__ import annotations

import os
import random
import signal

import pytest
from faults import calls, count, environment
from killable import Killable
from swept import assert_finished, champion_of, state_of
from tiny_jobs import is_alive, wait_until
from tiny_sweeps import SWEEP, tlsearch, write_sweep

pytestmark = pytest.mark.slow

TRIALS, EPOCHS, KILLS = 12, 3, 30
# What is killed thirty times before its first epoch should not have failed for that.
TEXT = SWEEP.replace("trials: 4", f"trials: {TRIALS}")
TEXT += f"on_failure: {{max_attempts: {KILLS + 1}}}\n"
LEARN = "tlsearch.training.learner:Learner.learn"
PAUSE = 0.6
"""Seconds more for each epoch: quicker ones are gathered before a checkpoint is written."""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return write_sweep(tmp_path_factory.mktemp("sweep"), TEXT)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, file):
    home = tmp_path_factory.mktemp("undisturbed") / "home"
    done = tlsearch(home, "run", file)
    assert done.returncode == 0, done.stderr
    return home


def _kill_somewhere(running, moment):
    """Kill the supervisor, or a worker and then the supervisor at a later line; the kills."""
    for _ in range(moment.randrange(2, 12)):
        if not running.process.stdout.readline():
            return 0
    workers = running.workers()
    if workers and moment.random() < 0.5:
        os.kill(moment.choice(workers), signal.SIGKILL)
        for _ in range(moment.randrange(1, 6)):
            running.process.stdout.readline()
        workers = running.workers()
        running.process.kill()
        kills = 2
    else:
        running.process.kill()
        kills = 1
    running.process.wait()
    assert wait_until(lambda: not any(map(is_alive, workers)))
    return kills


@pytest.mark.parametrize("seed", [0])
def test_thirty_kills(tmp_path, file, undisturbed, seed):
    home, learned = tmp_path / "home", tmp_path / "learned"
    extra = environment(tmp_path / "f", count(LEARN, learned, PAUSE))
    moment, kills = random.Random(seed), 0
    while kills < KILLS:
        running = Killable(home, file, **extra)
        try:
            now = _kill_somewhere(running, moment)
        finally:
            running.kill()
        if not now:
            break
        kills += now
    last = tlsearch(home, "run", file, **extra)
    assert last.returncode == 0, last.stderr
    print(f"{kills} kills, {calls(learned)} epochs trained of {TRIALS * EPOCHS}")
    assert kills >= KILLS
    assert_finished(home, TRIALS, EPOCHS)
    assert state_of(home) == state_of(undisturbed)
    assert champion_of(home) == champion_of(undisturbed)
    assert TRIALS * EPOCHS <= calls(learned) <= TRIALS * EPOCHS + kills
