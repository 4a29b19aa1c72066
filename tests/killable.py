"""A command that can be watched and killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

from tiny_jobs import is_alive
from tiny_sweeps import LONGEST, start


class Killable:
    """A running `tlsearch run --json`, or another command, and the events it has printed so far."""

    def __init__(self, home: Path, file: Path, command: str = "run", **environment: str):
        self.process = start(home, command, file, "--json", **environment)
        self.events = []

    def read_until(self, event, trial=0, epoch=None):
        """Read its lines up to this event; `trial=...` is of any trial."""
        for line in self.process.stdout:
            self.events.append(json.loads(line))
            last = self.events[-1]
            if last["event"] != event or trial not in (..., last.get("trial")):
                continue
            if epoch is None or last["epoch"] == epoch:
                return
        raise AssertionError(f"it ended before {event}: {self.process.stderr.read()}")

    def workers(self) -> list[int]:
        """The processes that train and, once a trial is complete, the one that draws reports."""
        shown = subprocess.run(
            ["ps", "-o", "pid=,args=", "--sort=start_time", "--ppid", str(self.process.pid)],
            capture_output=True,
            text=True,
        )
        lines = [line.split(maxsplit=1) for line in shown.stdout.splitlines()]
        return [int(pid) for pid, command in lines if "tlsearch.execution.worker" in command]

    def kill(self):
        """Kill what is left of it."""
        for pid in [*self.workers(), self.process.pid]:
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def end(self):
        """Wait for its end; exit status, stderr."""
        stdout, stderr = self.process.communicate(timeout=LONGEST)
        self.events += [json.loads(line) for line in stdout.splitlines()]
        return self.process.returncode, stderr

    def of_kind(self, kind):
        return [event for event in self.events if event["event"] == kind]
