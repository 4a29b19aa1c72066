"""A job that runs alone on an executor."""

from __future__ import annotations

import errno

import pytest
from tiny_jobs import Asks, Raises, Resumes, Returns, local_executor

from tlsearch.errors import DiskError, NoResultError
from tlsearch.execution.events import Failed, Finished
from tlsearch.search.again import train_again
from tlsearch.search.alone import run_alone

FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture(scope="module")
def executor(tmp_path_factory):
    made = local_executor(tmp_path_factory.mktemp("logs"))
    yield made
    made.close()


def test_how_it_ended(executor):
    assert run_alone(Returns(3, "done"), executor) == Finished(3, "done")
    failed = run_alone(Raises(4, ValueError("odd")), executor)
    assert isinstance(failed, Failed)
    assert (failed.trial, failed.kind) == (4, "error")


@pytest.mark.parametrize("job", [Asks(0, (0.2, 0.6)), Resumes(0, (0.2, 0.6))])
def test_its_epochs_go_on(executor, job):
    assert train_again(job, executor) == 0.6


def test_a_full_disk_is_no_failure_of_the_job(executor):
    with pytest.raises(DiskError, match="the disk is full") as caught:
        train_again(Raises(0, FULL), executor)
    assert caught.value.exit_code == 3
    assert "worker-" in caught.value.received


def test_a_trial_that_cannot_be_trained_again(executor):
    with pytest.raises(NoResultError, match="could not be made again") as caught:
        train_again(Raises(7, ValueError("odd")), executor)
    assert "odd" in caught.value.received
