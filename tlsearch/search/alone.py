"""One job on an executor that has nothing else to do: an export, a judgement, a report."""

from __future__ import annotations

from tlsearch.execution.events import ASKING, Decision, Failed, Finished
from tlsearch.execution.executor import Executor, Job
from tlsearch.execution.failures import DISK_FULL
from tlsearch.search.failures import explain_full_disk


def run_alone(job: Job, executor: Executor) -> Finished | Failed:
    """Run a job to its end on an idle executor; how it ended. Its epochs are told to nobody.

    Raises:
        DiskError: the worker found the disk full.
    """
    executor.submit(job)
    while True:
        for event in executor.wait(timeout=1.0):
            if isinstance(event, ASKING):
                executor.answer(event.trial, Decision.CONTINUE)
            elif isinstance(event, Failed) and event.kind == DISK_FULL:
                raise explain_full_disk(event)
            elif isinstance(event, Finished | Failed):
                return event
