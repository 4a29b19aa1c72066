"""What a serving image holds beside onnxruntime, numpy and Pillow: bytes, seconds to import.

Whoever serves photos has those three and what they need, so they count for nobody; nor does pip.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Collection
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from statistics import median
from typing import Any

from serving_peers.environments import ROOT, Environment, Environments, engine
from serving_peers.sides import OURS, tensor_sides
from tlsearch.errors import NoResultError

_MIB = 2**20
_ROUNDS = 5
_NAMED = 5
_BASE = ("numpy",)
_EVERYONES = {"pillow", "pip", "setuptools"}
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
    without = {name.lower() for name in base.versions()} | _EVERYONES
    for one, environment in ready:
        rows[one.side] = {
            "side": one.side,
            **_counted(environment.packages, without, one.code),
            "import_seconds": median(times[one.side]),
            "imports": f"import {one.imports}",
        }
    return [rows[one.side] for one in COMPARED]


def installed(packages: Path, without: Collection[str]) -> dict[str, int]:
    """Bytes of each package in a site-packages, compiled Python included.

    Args:
        without: names of packages, in lower case, that do not count.
    """
    found = distributions(path=[str(packages)])
    return {
        one.name: sum(_size(Path(str(one.locate_file(file)))) for file in one.files or ())
        for one in found
        if one.name.lower() not in without
    }


def _environment(environments: Environments, side: str) -> Environment:
    found = next(one for one in tensor_sides() if one.name == side)
    return environments.get(found.environment, found.requirements)


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


def _counted(packages: Path, without: Collection[str], code: tuple[str, ...]) -> dict[str, Any]:
    sizes = installed(packages, without)
    own = sum(_size(file) for name in code for file in (ROOT / name).rglob("*"))
    largest = sorted(sizes, key=lambda name: -sizes[name])[:_NAMED]
    return {
        "packages": len(sizes),
        "mib": (sum(sizes.values()) + own) / _MIB,
        "largest": {name: round(sizes[name] / _MIB, 1) for name in largest},
    }


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
