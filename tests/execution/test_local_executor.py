"""Worker processes of this machine: kept between jobs, logged, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tiny_jobs
from tiny_jobs import (
    Aborts,
    Asks,
    HasImported,
    Raises,
    Resumes,
    Returns,
    Sleeps,
    TellsPid,
    Unsendable,
    Works,
    end_of,
    is_alive,
    local_executor,
    wait_until,
)

from tlsearch.execution.events import Decision, EpochEnded, Failed, Finished, Resumed
from tlsearch.execution.local.executor import LocalExecutor

SILENCE = 4.0
"""Seconds after which these tests give up a worker: several heartbeats, on a busy machine too."""

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


def test_a_worker_that_was_warmed_up_has_imported_keras(executor):
    executor.warm_up(jobs=3)
    executor.submit(HasImported(0))
    assert end_of(executor, 0)[-1].result


@pytest.mark.parametrize(("jobs", "started"), [(0, 0), (1, 1), (5, 2)])
def test_no_more_workers_are_warmed_up_than_there_will_be_jobs(tmp_path, jobs, started):
    made = local_executor(tmp_path / "logs", 2)
    made.warm_up(jobs)
    assert len(list(tmp_path.glob("logs/*.log"))) == started
    made.close()


def test_the_log_holds_what_a_worker_wrote(executor, tmp_path):
    executor.submit(Raises(5, ValueError("very odd")))
    failed = end_of(executor, 5)[-1]
    (file,) = (tmp_path / "logs").iterdir()
    assert failed.log == str(file)
    log = file.read_text()
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
    assert failed.kind == "error"
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


def test_supervisors_that_share_a_folder_write_logs_of_their_own(tmp_path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; "
        "from tiny_jobs import *; executor = local_executor(Path(sys.argv[2])); "
        "executor.submit(Returns(0)); end_of(executor, 0); executor.close()"
    )
    tests = str(Path(tiny_jobs.__file__).parent)
    for _ in range(2):
        subprocess.run([sys.executable, "-c", code, tests, str(tmp_path)], check=True)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("terminate called after throwing an instance of 'std::bad_alloc'\n", "out_of_memory"),
        ("Check failed: 1 == 2\n", "worker_lost"),
    ],
    ids=["bad_alloc", "other"],
)
def test_an_aborted_worker_is_known_by_its_last_words(executor, words, kind):
    executor.submit(Aborts(0, words))
    assert end_of(executor, 0)[-1].kind == kind
    # They are not taken for those of the next job.
    executor.submit(Aborts(1, "odd\n"))
    assert end_of(executor, 1)[-1].kind == "worker_lost"


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """The file in which the kernel counts what it killed."""
    file = tmp_path / "memory.events"
    file.write_text("oom_kill 3\n")
    monkeypatch.setattr("tlsearch.execution.memory.oom_files", lambda: (file,))
    return file


@pytest.mark.parametrize(
    ("counted", "kind"), [(4, "out_of_memory"), (3, "worker_lost")], ids=["kernel", "somebody"]
)
def test_who_killed_a_worker_is_told_by_the_kernel_s_counter(
    executor, tmp_path, kernel, counted, kind
):
    begun = tmp_path / "begun"
    executor.submit(Sleeps(0, begun))
    assert wait_until(lambda: begun.exists() and begun.read_text())
    kernel.write_text(f"oom_kill {counted}\n")
    os.kill(int(begun.read_text()), signal.SIGKILL)
    failed = end_of(executor, 0)[-1]
    assert failed.kind == kind
    assert "signal 9" in failed.reason


def test_after_memory_ran_out_the_worker_is_a_new_one(executor):
    executor.submit(TellsPid(0))
    before = end_of(executor, 0)[-1].result[0]
    executor.submit(Raises(1, MemoryError("no room")))
    assert end_of(executor, 1)[-1].kind == "out_of_memory"
    assert not is_alive(before)
    executor.submit(TellsPid(2))
    assert end_of(executor, 2)[-1].result[0] != before


def test_an_idle_worker_that_was_killed_is_replaced_without_a_word(executor):
    executor.submit(TellsPid(0))
    pid = end_of(executor, 0)[-1].result[0]
    os.kill(pid, signal.SIGKILL)
    assert executor.wait(5.0) == []
    executor.submit(TellsPid(1))
    assert end_of(executor, 1)[-1].result[0] != pid


@pytest.fixture
def impatient(tmp_path):
    """An executor that does not wait long for progress."""
    made = local_executor(tmp_path / "logs", timeout=SILENCE)
    made.submit(Returns(100))  # Starting a process takes seconds that are none of the job's.
    end_of(made, 100)
    yield made
    made.close()


def test_a_worker_without_progress_is_replaced(impatient, tmp_path):
    begun = tmp_path / "begun"
    impatient.submit(Sleeps(0, begun))
    failed = end_of(impatient, 0)[-1]
    assert failed.kind == "timeout"
    assert f"no progress for {SILENCE:g} seconds" in failed.reason
    assert Path(failed.log).is_file()
    assert not is_alive(int(begun.read_text()))
    assert impatient.running == frozenset()


def test_work_that_is_counted_is_progress(impatient):
    impatient.submit(Works(0, seconds=2 * SILENCE))
    assert isinstance(end_of(impatient, 0)[-1], Finished)


@pytest.mark.parametrize(
    ("job", "asked"),
    [(Asks(0, (0.5,)), EpochEnded), (Resumes(0, (0.5,)), Resumed)],
    ids=["epoch", "resumed"],
)
def test_a_worker_that_waits_for_an_answer_does_not_hang(impatient, job, asked):
    impatient.submit(job)
    events = []
    while not any(isinstance(event, asked | Failed) for event in events):
        events += impatient.wait(5.0)
    assert isinstance(events[-1], asked)
    assert impatient.wait(2 * SILENCE) == []
    assert impatient.running == {0}
    impatient.answer(0, Decision.CONTINUE)
    assert isinstance(end_of(impatient, 0)[-1], Finished)


def test_only_what_it_listened_counts_as_silence(impatient, tmp_path):
    """A supervisor that was busy or stopped for long does not hold that against its workers."""
    impatient.submit(Sleeps(0, tmp_path / "begun"))
    time.sleep(2 * SILENCE)
    assert impatient.wait(0.1) == []
    assert impatient.running == {0}


def test_a_stopped_worker_is_given_up_and_cannot_go_on(impatient):
    impatient.submit(TellsPid(0))
    pid = end_of(impatient, 0)[-1].result[0]
    impatient.submit(Works(1, seconds=600))
    os.kill(pid, signal.SIGSTOP)
    assert end_of(impatient, 1)[-1].kind == "timeout"
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
    assert impatient.wait(1.0) == []


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
