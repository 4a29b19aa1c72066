"""One side's process, timed from its start to its end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peers.memory import Memory, Sampler
from tlsearch.errors import NoResultError

_TOLD = 2_000


@dataclass(frozen=True)
class Run:
    """What a process did.

    seconds: from its start to its exit. events: what it said, JSON lines on its stdout, each
    with the seconds from its start to when the line came.
    """

    seconds: float
    events: tuple[tuple[float, dict[str, Any]], ...]
    memory: Memory | None = None

    def named(self, event: str) -> list[tuple[float, dict[str, Any]]]:
        """The events of this name, with their seconds."""
        return [(at, said) for at, said in self.events if said["event"] == event]


def run(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, *, memory: bool = False
) -> Run:
    """Run a command to its end.

    Args:
        folder: where it runs; its stderr goes to `stderr.txt` there.
        memory: sample its memory meanwhile.

    Raises:
        NoResultError: it did not end well.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "stderr.txt"
    started = time.perf_counter()
    with log.open("wb") as errors, _process(command, environment, folder, errors) as process:
        sampler = Sampler(process.pid)
        if memory:
            sampler.start()
        events = list(_events(process.stdout, started))
        code = process.wait()
        seconds = time.perf_counter() - started
        peak = sampler.stop() if memory else None
    if code:
        raise _failure(command, code, log)
    return Run(seconds, tuple(events), peak)


def _events(lines: Iterable[str], started: float) -> Iterator[tuple[float, dict[str, Any]]]:
    """Lines that are no JSON objects are what some library prints."""
    for line in lines:
        if line.startswith("{"):
            yield time.perf_counter() - started, json.loads(line)


@contextlib.contextmanager
def _process(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, errors: Any
) -> Any:
    """A process in a group of its own, of which nothing is left behind."""
    process = subprocess.Popen(
        list(command),
        env=dict(environment),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def _failure(command: Sequence[str], code: int, log: Path) -> NoResultError:
    last = log.read_text(errors="replace")[-_TOLD:]
    return NoResultError(
        "a side of the benchmark failed",
        received=f"{' '.join(command)}: exit status {code}\n{last}",
        hint="run the command by itself, with --keep to have its files",
    )
