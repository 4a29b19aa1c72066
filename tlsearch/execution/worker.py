"""The worker process: takes jobs from a pipe, runs them one after the other, outlives them.

`python -m tlsearch.execution.worker FD [MODULE ...]` is started by the supervisor with one end of a
pipe, and with what to import before the first job comes. It ends when the pipe does, whatever it is
doing: a killed supervisor leaves no orphan behind. While a job runs, a thread tells the supervisor
that work goes on.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

from tlsearch.execution.events import Beat, Decision, Event, Failed, Finished
from tlsearch.execution.executor import Job
from tlsearch.execution.failures import classify, reason
from tlsearch.execution.pulse import work_done
from tlsearch.output import hide_credentials
from tlsearch.redaction import redact

INTERVAL = 1.0
"""Seconds between two looks at how much work was done."""


class SupervisorGoneError(BaseException):
    """Nobody is at the other end of the pipe. No job's `except Exception` may swallow it."""


class PipeChannel:
    """The worker's end of the pipe to the supervisor. Several threads may send.

    Its methods raise SupervisorGoneError.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sending = threading.Lock()

    def send(self, event: Event | Beat) -> None:
        # Two messages at once would be torn into each other.
        with self._sending, _listening():
            self._connection.send(event)

    def ask(self, event: Event) -> Decision:
        self.send(event)
        return self.receive()

    def receive(self) -> Any:
        """What the supervisor says next: a job, an answer, or None."""
        with _listening():
            return self._connection.recv()


@contextmanager
def _listening() -> Iterator[None]:
    try:
        yield
    except (EOFError, BrokenPipeError, ConnectionResetError) as error:
        raise SupervisorGoneError from error


class Heartbeat:
    """Tells the supervisor, from a thread of its own, when the count of work has grown."""

    def __init__(self, channel: PipeChannel) -> None:
        self._channel = channel
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _tell(self) -> None:
        told = work_done()
        while not self._over.wait(INTERVAL):
            done = work_done()
            if done == told:
                continue
            try:
                self._channel.send(Beat(done))
            except SupervisorGoneError:
                return  # This process is about to end.
            told = done


def serve(channel: PipeChannel) -> None:
    """Run jobs until the supervisor sends None."""
    while (job := channel.receive()) is not None:
        print(f"--- trial {job.trial}: {type(job).__name__}", flush=True)
        try:
            # What comes after a job's end must not be taken for the next job's.
            with Heartbeat(channel):
                result = job.run(channel)
            channel.send(Finished(job.trial, result))
        except Exception as error:
            channel.send(_explain(job, error))


def _explain(job: Job, error: Exception) -> Failed:
    details = redact("".join(traceback.format_exception(error)))
    print(details, flush=True)
    return Failed(job.trial, classify(error), reason(error), details)


def main() -> None:
    # Ctrl-C reaches the whole process group; the supervisor decides when a worker stops.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    hide_credentials()
    descriptor, modules = int(sys.argv[1]), sys.argv[2:]
    threading.Thread(target=_end_with, args=[descriptor], daemon=True).start()
    for module in modules:
        # What is wrong with it is said better by the job that needs it.
        with suppress(Exception):
            import_module(module)
    try:
        serve(PipeChannel(Connection(descriptor)))
    except SupervisorGoneError:
        os._exit(0)


def _end_with(descriptor: int) -> None:
    """End this process once the other end of the pipe is closed, in the middle of an epoch too."""
    pipe = select.poll()
    pipe.register(descriptor, 0)  # A hang-up is told without being asked for.
    pipe.poll()
    os._exit(0)


if __name__ == "__main__":
    main()
