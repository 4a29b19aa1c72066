"""Load on a server: `hey` where it is installed, else the generator that lies here."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from serving_peers.wire import Request
from tlsearch.errors import NoResultError, SetupError

_GENERATOR = Path(__file__).with_name("generator.py")


@dataclass(frozen=True)
class Answered:
    """What came back. Seconds; `errors` are all but answers of status 200."""

    requests: int
    seconds: float
    p50: float
    p99: float
    errors: int


class Load(ABC):
    """A load generator, on one core of its own."""

    name: str

    def __init__(self, core: int) -> None:
        self._core = core

    @abstractmethod
    def put(self, address: str, request: Request, connections: int, seconds: float) -> Answered:
        """Send the request over and over on that many connections, each with one at a time.

        Args:
            request: its body has to lie in a file too.
        """

    def _run(self, command: Sequence[str]) -> str:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {self._core}),
        )
        if done.returncode:
            raise NoResultError(
                "the load generator failed",
                received=done.stderr[-500:],
                hint=f"see for yourself: {' '.join(command)}",
            )
        return done.stdout


@final
class Hey(Load):
    """github.com/rakyll/hey, as a package of Debian and others. Tells times to 0.1 ms."""

    name = "hey"

    def put(self, address: str, request: Request, connections: int, seconds: float) -> Answered:
        headers = [part for pair in request.headers for part in ("-H", ": ".join(pair))]
        command = ["hey", "-z", f"{seconds}s", "-c", str(connections), "-cpus", "1", "-m", "POST"]
        told = self._run([*command, *headers, "-T", request.kind, "-D", str(request.file), address])
        return read_hey(told)


@final
class Generator(Load):
    """generator.py, on uvloop and httptools."""

    name = "generator"

    def put(self, address: str, request: Request, connections: int, seconds: float) -> Answered:
        headers = json.dumps([("content-type", request.kind), *request.headers])
        arguments = [address, headers, str(request.file), str(connections), str(seconds)]
        return Answered(**json.loads(self._run([sys.executable, str(_GENERATOR), *arguments])))


LOADS: dict[str, type[Load]] = {"hey": Hey, "generator": Generator}


def choose(name: str | None, core: int) -> Load:
    """The load generator of that name; without one `hey`, if it is there.

    Raises:
        SetupError: `hey` is not installed.
    """
    has_hey = shutil.which("hey") is not None
    if name == "hey" and not has_hey:
        raise SetupError(
            "the load generator hey is not here",
            received="no command hey on the PATH",
            hint="apt-get install hey, or --load generator",
        )
    return LOADS[name or ("hey" if has_hey else "generator")](core)


def read_hey(told: str) -> Answered:
    """What hey's summary says.

    Raises:
        NoResultError: it says nothing that is known here.
    """
    total = re.search(r"Total:\s+([\d.]+) secs", told)
    if total is None:
        raise NoResultError("hey gave no summary", received=told[-500:])
    answers = {int(status): int(n) for status, n in re.findall(r"\[(\d+)\]\t(\d+) responses", told)}
    failures = sum(int(n) for n in re.findall(r"^  \[(\d+)\]\t(?!\d+ responses)", told, re.M))
    shares = {int(p): float(s) for p, s in re.findall(r"(\d+)% in ([\d.]+) secs", told)}
    good = answers.pop(200, 0)
    return Answered(
        requests=good,
        seconds=float(total[1]),
        p50=shares.get(50, 0.0),
        # It leaves out percentiles for which it has too few answers.
        p99=shares[max(shares)] if shares else 0.0,
        errors=sum(answers.values()) + failures,
    )
