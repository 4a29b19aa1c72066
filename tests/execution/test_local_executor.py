"""Worker processes of this machine: kept between jobs, logged, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_jobs
from tiny_jobs import (
    Asks,
    Raises,
    Returns,
    Sleeps,
    TellsPid,
    Unsendable,
    end_of,
    is_alive,
    local_executor,
    wait_until,
)

from tlsearch.execution.events import EpochEnded
from tlsearch.execution.local.executor import LocalExecutor

ORPHANS = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tiny_jobs import Asks, Sleeps, TellsPid, end_of, local_executor

executor = local_executor(Path(sys.argv[2]))
executor.submit(TellsPid(0))
pid, _ = end_of(executor, 0)[-1].result
job = Asks(1, (0.5,)) if sys.argv[3] == "asking" else Sleeps(1, Path(sys.argv[2], "begun"))
if sys.argv[3] != "idle":
    executor.submit(job)
while sys.argv[3] == "asking" and not executor.wait(1.0):
    pass
print(pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def executor(tmp_path):
    made = local_executor(tmp_path / "logs")
    yield made
    made.close()


def test_a_worker_outlives_its_jobs_even_those_that_fail(executor):
    pids = set()
    for trial in range(2):
        executor.submit(TellsPid(trial))
        pids.add(end_of(executor, trial)[-1].result[0])
        executor.submit(Raises(trial + 10, ValueError("odd")))
        end_of(executor, trial + 10)
    assert len(pids) == 1
    assert os.getpid() not in pids


def test_no_worker_is_started_before_it_is_needed(tmp_path):
    made = local_executor(tmp_path / "logs", 3)
    assert made.capacity == 3
    assert not (tmp_path / "logs").exists()
    made.close()


def test_the_log_holds_what_a_worker_wrote(executor, tmp_path):
    executor.submit(Raises(5, ValueError("very odd")))
    end_of(executor, 5)
    log = (tmp_path / "logs" / "worker-0.log").read_text()
    assert "trial 5: Raises" in log
    assert "ValueError: very odd" in log


def test_the_environment_reaches_the_worker(tmp_path):
    path = str(Path(tiny_jobs.__file__).parent)
    made = LocalExecutor(1, tmp_path, {"PYTHONPATH": path, "COLOUR": "blue"})
    try:
        made.submit(TellsPid(0, "COLOUR"))
        assert end_of(made, 0)[-1].result[1] == "blue"
    finally:
        made.close()


def test_a_result_that_cannot_be_sent_is_a_failure_that_names_the_log(executor, tmp_path):
    executor.submit(Unsendable(0))
    failed = end_of(executor, 0)[-1]
    assert failed.kind in ("error", "worker_lost")
    executor.submit(Returns(1, "fine"))
    assert end_of(executor, 1)[-1].result == "fine"


def test_close_ends_an_idle_worker_and_a_busy_one(tmp_path):
    executor = local_executor(tmp_path / "logs", 2)
    executor.submit(TellsPid(0))
    idle, _ = end_of(executor, 0)[-1].result
    executor.submit(Sleeps(1, tmp_path / "begun"))
    executor.submit(TellsPid(2))
    other, _ = end_of(executor, 2)[-1].result
    executor.close()
    assert idle != other
    assert not is_alive(idle)
    assert not is_alive(other)
    assert executor.running == frozenset()


def test_close_while_a_worker_waits_for_an_answer(executor):
    executor.submit(Asks(0, (0.1, 0.2)))
    while not any(isinstance(event, EpochEnded) for event in executor.wait(5.0)):
        pass
    executor.close()
    assert executor.running == frozenset()


@pytest.mark.parametrize("worker", ["idle", "asking", "sleeping"])
def test_a_killed_supervisor_leaves_no_worker_behind(tmp_path, worker):
    tests = str(Path(tiny_jobs.__file__).parent)
    supervisor = subprocess.Popen(
        [sys.executable, "-c", ORPHANS, tests, str(tmp_path), worker],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    pid = int(supervisor.stdout.readline())
    if worker == "sleeping":
        assert wait_until((tmp_path / "begun").exists)
    assert is_alive(pid)
    supervisor.send_signal(signal.SIGKILL)
    supervisor.wait()
    supervisor.stdin.close()
    supervisor.stdout.close()
    gone = wait_until(lambda: not is_alive(pid))
    if not gone:
        os.kill(pid, signal.SIGKILL)
    assert gone
