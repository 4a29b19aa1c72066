"""One worker process, seen from the supervisor."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import Pipe
from pathlib import Path

from tlsearch.execution.events import Beat, Decision, Event
from tlsearch.execution.executor import Job
from tlsearch.execution.failures import OUT_OF_MEMORY, WORKER_LOST
from tlsearch.execution.memory import OomKills, tells_of_memory

QUIET = {
    # TensorFlow: warnings and errors only; no notice about oneDNN's rounding.
    "TF_CPP_MIN_LOG_LEVEL": "1",
    "TF_ENABLE_ONEDNN_OPTS": "1",
    # Take GPU memory as it is needed, so that others can share the device.
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
}
_TAIL = 64 * 1024
"""Bytes at a log's end in which the cause of a death is looked for."""


class WorkerProcess:
    """A started worker: its process, its end of the pipe, the job it runs.

    silence: seconds for which the supervisor has listened since it last heard of work going on.
    """

    def __init__(
        self, log: Path, environment: Mapping[str, str], imports: Sequence[str] = ()
    ) -> None:
        """Start it.

        Args:
            imports: modules that it imports before its first job comes.
        """
        self.connection, theirs = Pipe()
        self.job: Job | None = None
        self.log = log
        self.silence = 0.0
        self.is_asking = False
        self._was_ended = False
        self._kills = OomKills()
        self._killed_before = self._log_begins = 0
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output, theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tlsearch.execution.worker", str(theirs.fileno()), *imports],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**QUIET, **os.environ, **environment},
            )

    def start(self, job: Job) -> None:
        self.job = job
        self.silence = 0.0
        self._killed_before = self._kills.count()
        self._log_begins = self.log.stat().st_size
        self._send(job)

    def answer(self, decision: Decision) -> None:
        self.is_asking = False
        self.silence = 0.0
        self._send(decision)

    def receive(self) -> Event | Beat:
        """The next message. Raises EOFError or ConnectionResetError when the process is gone."""
        message = self.connection.recv()
        self.silence = 0.0
        return message

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def explain_death(self) -> tuple[str, str]:
        """The class of failure of a process that ended by itself, and how it ended."""
        status = self.end(grace=5)
        how = f"the worker process ended (signal {-status})"
        if status >= 0:
            how = f"the worker process ended (exit status {status})"
        if self._ran_out_of_memory(status):
            return OUT_OF_MEMORY, f"{how}: memory ran out"
        return WORKER_LOST, how

    def _ran_out_of_memory(self, status: int) -> bool:
        if status == -signal.SIGKILL:
            # Whoever kills leaves no last words. The kernel counts those that it kills.
            return not self._was_ended and self._kills.count() > self._killed_before
        return status != 0 and tells_of_memory(self._last_words())

    def _last_words(self) -> str:
        """The end of what it wrote since its job began."""
        with self.log.open("rb") as log:
            log.seek(max(self._log_begins, self.log.stat().st_size - _TAIL))
            return log.read().decode(errors="replace")

    def _send(self, message: object) -> None:
        # A dead worker is noticed by receive(), which the supervisor always gets to. One that dies
        # with a part of the message unread resets the connection.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send(message)

    def end(self, grace: float = 0.0) -> int:
        """Close the pipe, wait `grace` seconds, kill; the exit status, negative for a signal.

        A process that is stopped is killed too.
        """
        self.connection.close()
        try:
            return self._process.wait(grace)
        except subprocess.TimeoutExpired:
            self._was_ended = True
            self._process.kill()
            return self._process.wait()
