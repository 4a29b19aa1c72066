"""The worker process: takes jobs from a pipe, runs them one after the other, outlives them.

`python -m tlsearch.execution.worker FD` is started by the supervisor with one end of a pipe.
It ends when the pipe does, whatever it is doing: a killed supervisor leaves no orphan behind.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import traceback
from multiprocessing.connection import Connection

from tlsearch.errors import NonFiniteLossError, TlsearchError
from tlsearch.execution.events import Decision, Event, Failed, Finished
from tlsearch.execution.executor import Job


class PipeChannel:
    """The worker's end of the pipe to the supervisor."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def send(self, event: Event) -> None:
        self._connection.send(event)

    def ask(self, event: Event) -> Decision:
        self._connection.send(event)
        return self._connection.recv()


def serve(connection: Connection) -> None:
    """Run jobs until the supervisor sends None or is gone."""
    channel = PipeChannel(connection)
    while (job := connection.recv()) is not None:
        channel.send(_run(job, channel))


def _run(job: Job, channel: PipeChannel) -> Event:
    print(f"--- trial {job.trial}: {type(job).__name__}", flush=True)
    try:
        return Finished(job.trial, job.run(channel))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        raise  # The supervisor is gone: nobody waits for this result.
    except Exception as error:
        details = traceback.format_exc()
        print(details, flush=True)
        return Failed(job.trial, failure_kind(error), _reason(error), details)


def failure_kind(error: BaseException) -> str:
    """The class of a failure: what the supervisor decides by."""
    if isinstance(error, NonFiniteLossError):
        return "nan_loss"
    name, text = type(error).__name__, str(error)
    exhausted = "ResourceExhausted" in name or "RESOURCE_EXHAUSTED" in text
    if isinstance(error, MemoryError) or exhausted:
        return "out_of_memory"
    return "setup" if isinstance(error, TlsearchError) else "error"


def _reason(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text if isinstance(error, TlsearchError) else f"{type(error).__name__}: {text[:500]}"


def main() -> None:
    # Ctrl-C reaches the whole process group; the supervisor decides when a worker stops.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    descriptor = int(sys.argv[1])
    threading.Thread(target=_end_with, args=[descriptor], daemon=True).start()
    try:
        serve(Connection(descriptor))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        os._exit(0)


def _end_with(descriptor: int) -> None:
    """End this process once the other end of the pipe is closed, in the middle of an epoch too."""
    pipe = select.poll()
    pipe.register(descriptor, 0)  # A hang-up is told without being asked for.
    pipe.poll()
    os._exit(0)


if __name__ == "__main__":
    main()
