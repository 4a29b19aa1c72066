"""Training a trial once more, whose weights are out of reach: the same parameters and seed."""

from __future__ import annotations

from tlsearch.errors import NoResultError
from tlsearch.execution.events import Failed
from tlsearch.execution.executor import Executor, Job
from tlsearch.search.alone import run_alone


def train_again(job: Job, executor: Executor) -> float:
    """Run a job of training to its end, on an idle executor; the value of the objective.

    Nothing is told to the study or the tracker: they know the trial.

    Raises:
        NoResultError: it failed.
        DiskError: the disk is full.
    """
    ended = run_alone(job, executor)
    if isinstance(ended, Failed):
        raise NoResultError(
            f"trial {job.trial} is complete, but its weights are in a home that is out of "
            "reach, and they could not be made again",
            received=ended.reason,
            hint="run the sweep once in the home that has trained it: it delivers there",
        )
    return float(ended.result.value)
