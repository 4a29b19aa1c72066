"""Only one process at a time, and a dead one is no obstacle."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tlsearch.errors import SetupError
from tlsearch.execution.lock import alone

HOLDER = """\
import sys
from pathlib import Path
from tlsearch.execution.lock import alone
with alone(Path(sys.argv[1]), "this sweep"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock until its input ends."""
    lock = tmp_path / "deep" / "running.lock"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield lock, process
    process.kill()
    process.communicate()


def enter(lock):
    with alone(lock, "this sweep"):
        return True


def test_two_processes_do_not_do_the_same_work(holder):
    lock, process = holder
    with pytest.raises(SetupError, match="this sweep is running already") as raised:
        enter(lock)
    assert str(lock) in str(raised.value)
    assert "Ctrl-C" in raised.value.hint
    process.communicate("")
    assert process.returncode == 0
    assert enter(lock)


def test_a_process_that_is_killed_lets_go(holder):
    lock, process = holder
    process.kill()
    process.wait()
    assert enter(lock)


def test_an_error_lets_go_too(tmp_path):
    lock = tmp_path / "running.lock"

    def fail():
        with alone(lock, "this sweep"):
            raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        fail()
    assert enter(lock)


def test_other_work_is_not_kept_waiting(holder, tmp_path):
    assert enter(tmp_path / "other.lock")
