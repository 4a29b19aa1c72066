"""What a serving image holds beside onnxruntime: bytes on disk and seconds to import."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from serving_peers.environments import ROOT, Environment, Environments, engine
from serving_peers.sides import OURS, tensor_sides
from tlsearch.errors import NoResultError

_MIB = 2**20
_ROUNDS = 5
_BASE = ("numpy",)
_TOOLS = ("pip", "setuptools")
_TIMER = """
import time
import numpy, onnxruntime
started = time.perf_counter()
import {}
print(time.perf_counter() - started)
"""


@dataclass(frozen=True)
class Compared:
    """A side, the modules that its server's process imports, and its own code if that is not
    installed."""

    side: str
    imports: str
    code: tuple[str, ...] = ()


COMPARED = (
    Compared(OURS, "serving.server", ("serving", "tlsearch")),
    Compared("LitServe", "litserve"),
    Compared("BentoML", "bentoml, _bentoml_impl.server.app"),
)


def compare(environments: Environments) -> list[dict[str, Any]]:
    """A row for each side; import times are medians of rounds in turn."""
    base = environments.get("base", (engine(), *_BASE))
    ready: list[tuple[Compared, Environment]] = []
    rows: dict[str, dict[str, Any]] = {}
    for one in COMPARED:
        try:
            ready.append((one, _environment(environments, one.side)))
        except NoResultError as error:
            rows[one.side] = {"side": one.side, "failure": str(error.received)}
    times = _times(ready)
    for one, environment in ready:
        rows[one.side] = {
            "side": one.side,
            "packages": _packages(environment) - _packages(base),
            "mib": (installed(environment.packages, one.code) - installed(base.packages)) / _MIB,
            "import_seconds": median(times[one.side]),
            "imports": f"import {one.imports}",
        }
    return [rows[one.side] for one in COMPARED]


def installed(packages: Path, code: tuple[str, ...] = ()) -> int:
    """Bytes of all files, compiled Python included, less those of pip."""
    total = sum(_size(one) for one in packages.iterdir() if not _is_tool(one.name))
    return total + sum(_size(ROOT / name) for name in code)


def _environment(environments: Environments, side: str) -> Environment:
    found = next(one for one in tensor_sides() if one.name == side)
    return environments.get(found.slug, found.requirements)


def _times(ready: list[tuple[Compared, Environment]]) -> dict[str, list[float]]:
    """The first round warms the disk's cache and is not kept."""
    times: dict[str, list[float]] = {one.side: [] for one, _ in ready}
    for round_ in range(_ROUNDS + 1):
        for one, environment in ready:
            seconds = _import(environment, one.imports)
            if round_:
                times[one.side].append(seconds)
    return times


def _import(environment: Environment, modules: str) -> float:
    done = subprocess.run(
        [str(environment.python), "-c", _TIMER.format(modules)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=environment.folder,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise NoResultError(f"import {modules} failed", received=done.stderr[-500:])
    return float(done.stdout.splitlines()[-1])


def _packages(environment: Environment) -> int:
    return len(environment.versions().keys() - set(_TOOLS))


def _is_tool(name: str) -> bool:
    return any(name == tool or name.startswith(f"{tool}-") for tool in _TOOLS)


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
