"""A server's processes: started on one core, watched through /proc, ended with all they started."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from peers.memory import family, read

from tlsearch.errors import NoResultError

START_SECONDS = 120
_STOP_SECONDS = 15
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TOLD = 600


@dataclass(frozen=True)
class Usage:
    """Of a process and all that descend from it. `rss` counts shared pages once a process,
    `pss` divides them among the processes."""

    cpu_seconds: float
    rss: int
    pss: int
    processes: int


@dataclass(frozen=True)
class Server:
    """A server that runs."""

    process: subprocess.Popen[bytes]
    log: Path

    def usage(self) -> Usage:
        pids = family(self.process.pid)
        stats = [fields for pid in pids if (fields := _stat(pid))]
        # user and system time, each also of the children that have ended
        ticks = sum(sum(map(int, fields[11:15])) for fields in stats)
        rss = sum(int(fields[21]) for fields in stats) * _PAGE
        return Usage(ticks / _TICKS, rss, read(self.process.pid).total, len(stats))

    def cores(self) -> set[int]:
        """All cores that one of the processes may use."""
        found: set[int] = set()
        for pid in family(self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                found |= os.sched_getaffinity(pid)
        return found

    def wait(self, is_ready: Callable[[], bool]) -> None:
        """Wait until it answers.

        Raises:
            NoResultError: it ended, or took too long.
        """
        end = time.monotonic() + START_SECONDS
        while not is_ready():
            if self.process.poll() is not None:
                raise self._failure(f"it ended with status {self.process.returncode}")
            if time.monotonic() > end:
                raise self._failure(f"no answer in {START_SECONDS} s")
            time.sleep(0.2)

    def _failure(self, what: str) -> NoResultError:
        last = self.log.read_text(errors="replace")[-_TOLD:]
        return NoResultError("a server did not start", received=f"{what}\n{last}")


@contextlib.contextmanager
def started(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, core: int
) -> Iterator[Server]:
    """A server in `folder`, it and all its processes on one core; none is left behind."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "log.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            list(command),
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
    try:
        yield Server(process, log)
    finally:
        _stop(process)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the first process to end; then end what is left, also what has left its group."""
    pids = family(process.pid)
    process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_SECONDS)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on; none of a process that has ended."""
    try:
        # The name of the process, in brackets, may hold anything.
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
