"""One worker process, seen from the supervisor."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing import Pipe
from pathlib import Path

from tlsearch.execution.events import Decision, Event
from tlsearch.execution.executor import Job

QUIET = {
    # TensorFlow: warnings and errors only; no notice about oneDNN's rounding.
    "TF_CPP_MIN_LOG_LEVEL": "1",
    "TF_ENABLE_ONEDNN_OPTS": "1",
    # Take GPU memory as it is needed, so that others can share the device.
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
}


class WorkerProcess:
    """A started worker: its process, its end of the pipe, the job it runs."""

    def __init__(self, log: Path, environment: Mapping[str, str]) -> None:
        self.connection, theirs = Pipe()
        self.job: Job | None = None
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output, theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tlsearch.execution.worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**QUIET, **os.environ, **environment},
            )

    def start(self, job: Job) -> None:
        self.job = job
        self._send(job)

    def answer(self, decision: Decision) -> None:
        self._send(decision)

    def receive(self) -> Event:
        """The next event. Raises EOFError or ConnectionResetError when the process is gone."""
        return self.connection.recv()

    def _send(self, message: object) -> None:
        # A dead worker is noticed by receive(), which the supervisor always gets to.
        with contextlib.suppress(BrokenPipeError):
            self.connection.send(message)

    def end(self, grace: float = 0.0) -> int:
        """Close the pipe, wait `grace` seconds, kill; the exit status, negative for a signal."""
        self.connection.close()
        try:
            return self._process.wait(grace)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
