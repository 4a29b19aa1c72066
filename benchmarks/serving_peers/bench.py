"""One side of a round: the limit, then its server under load on each number of connections."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from serving_peers.environments import Environment
from serving_peers.idlers import idle_connections
from serving_peers.load import Answered, Load
from serving_peers.measurement import Measurement
from serving_peers.server import Server, free_port, started
from serving_peers.sides import SERVERS, Place, Side
from serving_peers.task import Task, make_task
from serving_peers.wire import Request, post
from tlsearch.errors import NoResultError

Limit = dict[str, float]
_CLOSE = 1e-3
_WARM_CONNECTIONS = 16


@dataclass(frozen=True)
class Bench:
    """Where and for how long it is done.

    Attributes:
        core: the servers'. ours: the environment of tlsearch, which also runs the limit.
    """

    task: Task
    scratch: Path
    core: int
    load: Load
    seconds: float
    connections: Sequence[int]
    ours: Environment
    tell: Callable[[str], None]
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def for_precision(self, precision: str | None) -> Bench:
        """The same with another of the bundle's models; None: with this one."""
        if precision is None or precision == self.task.precision:
            return self
        task = self.task
        count = len(task.images)
        other = make_task(task.bundle, precision, task.photo, count, task.provider)
        return replace(self, task=other)

    def limit(self, batches: Sequence[int], seconds: float | None = None) -> dict[int, Limit]:
        """What onnxruntime does in a bare loop on the servers' core, by batch size."""
        command = [str(self.ours.python), str(SERVERS / "bare.py"), str(seconds or self.seconds)]
        command += [str(batch) for batch in batches]
        if self.task.photo is not None:
            command += ["--photo", str(self.task.photo)]
        place = self._place(self.ours)
        done = subprocess.run(
            command,
            env={**os.environ, **place.environment()},
            capture_output=True,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {self.core}),
        )
        if done.returncode:
            raise NoResultError("the bare loop failed", received=done.stderr[-500:])
        return {int(batch): found for batch, found in json.loads(done.stdout).items()}

    def measure(
        self, side: Side, environment: Environment, round_: int, limit: Limit
    ) -> list[Measurement]:
        """Start its server and put load on it.

        Raises:
            NoResultError: it did not start, gave another answer than the model does, or closed an
            idle connection.
        """
        place = self._place(environment)
        request = side.wire.request(self.task.images, place.folder / "body")
        address = f"http://127.0.0.1:{place.port}{side.path}"
        told = {**place.environment(), **side.prepare(place)}
        with started(side.command(place), told, place.folder, self.core) as server:
            server.wait(lambda: post(address, request) is not None)
            self._check(side, server, address, request)
            self.load.put(address, request, _WARM_CONNECTIONS, min(2.0, self.seconds))
            found = []
            for one in self.connections:
                with idle_connections(address, side.idlers):
                    about = (side.name, round_, one, limit)
                    found.append(self._put(server, address, request, about))
            return found

    def ceiling(self) -> float:
        """Requests a second that the load generator gets from a server that does nothing."""
        place = self._place(self.ours)
        request = Request(place.folder / "body", "application/octet-stream")
        request.file.write_bytes(self.task.images.tobytes())
        address = f"http://127.0.0.1:{place.port}/"
        command = [str(self.ours.python), str(SERVERS / "nothing.py")]
        with started(command, place.environment(), place.folder, self.core) as server:
            server.wait(lambda: post(address, request) is not None)
            found = self.load.put(address, request, _WARM_CONNECTIONS, min(2.0, self.seconds))
        return found.requests / found.seconds

    def _put(
        self, server: Server, address: str, request: Request, about: tuple[str, int, int, Limit]
    ) -> Measurement:
        name, round_, connections, limit = about
        before = server.usage()
        found = self.load.put(address, request, connections, self.seconds)
        after = server.usage()
        cpu = after.cpu_seconds - before.cpu_seconds
        measured = _measurement(found, len(self.task.images), cpu, limit["images_per_second"])
        self.tell(f"  {connections} connections: {measured['images_per_second']:.0f} images/s")
        memory = {"rss": after.rss, "pss": after.pss, "processes": after.processes}
        return Measurement(name, round_, connections, **measured, **memory)

    def _check(self, side: Side, server: Server, address: str, request: Request) -> None:
        answer = post(address, request)
        found = side.wire.read(*answer) if answer else None
        expected = self.task.expected
        if found is None or found.shape != expected.shape:
            raise NoResultError(f"{side.name} gave no probabilities", received=answer)
        if not np.abs(found - expected).max() < _CLOSE:
            raise NoResultError(
                f"{side.name} gave other probabilities than the model",
                received=found.tolist(),
                expected=str(expected.tolist()),
            )
        if server.cores() != {self.core}:
            raise NoResultError(f"{side.name} left its core", received=server.cores())

    def _place(self, environment: Environment) -> Place:
        folder = self.scratch / str(next(self._numbers))
        folder.mkdir(parents=True)
        task = self.task
        programs = environment.python.parent
        return Place(programs, task, folder, free_port())


def _measurement(found: Answered, images: int, cpu: float, limit: float) -> dict[str, Any]:
    return {
        "images_per_second": found.requests * images / found.seconds,
        "p50": found.p50,
        "p99": found.p99,
        "cpu_seconds": cpu / max(found.requests * images, 1) * 1000,
        "errors": found.errors,
        "limit": limit,
    }
