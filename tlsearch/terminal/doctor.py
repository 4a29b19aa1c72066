"""`tlsearch doctor`: what this machine has, and what to do about what it lacks."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from rich.markup import escape

from tlsearch.backbones.table import BACKBONES
from tlsearch.backbones.weights import builtin, models_folder
from tlsearch.errors import HomeError, WeightsError
from tlsearch.execution.devices import gpus
from tlsearch.paths import Paths
from tlsearch.terminal.jsonlines import print_json
from tlsearch.terminal.words import screen

NEEDED = (
    "keras",
    "optuna",
    "mlflow",
    "pandas",
    "onnx",
    "tf2onnx",
    "onnxruntime-gpu",
    "matplotlib",
    "filelock",
    "httpx",
)
LEAST_FREE = 2 * 1024**3
"""Bytes of free disk under which a sweep is likely to run out."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. What is not `needed` only limits what can be done."""

    what: str
    found: str
    fine: bool
    needed: bool = True
    advice: str = ""


def examine(*, json: bool) -> int:
    """Look at everything and print it; the exit code: 0, or 3 if something needed is missing."""
    findings = list(_findings())
    if json:
        print_json([asdict(finding) for finding in findings])
    else:
        _print(findings)
    return 0 if all(finding.fine for finding in findings if finding.needed) else 3


def _findings() -> Iterator[Finding]:
    yield Finding("Python", platform.python_version(), True)
    for name in NEEDED:
        yield _package(name)
    yield _backend()
    yield _gpu()
    yield _home(Paths.from_environment())
    yield _weights()
    yield from _builtin_weights()


def _package(name: str) -> Finding:
    try:
        return Finding(name, importlib.metadata.version(name), True)
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, "missing", False, advice="pip install 'tlsearch[train]'")


def _backend() -> Finding:
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    finding = _package(backend)
    return Finding(f"Keras backend: {backend}", finding.found, finding.fine, advice=finding.advice)


def _gpu() -> Finding:
    names = ", ".join(gpu.name for gpu in gpus())
    advice = "trials run on the CPU; with a GPU: pip install 'tlsearch[train-gpu]'"
    return Finding("GPU", names or "none", bool(names), needed=False, advice=advice)


def _home(paths: Paths) -> Finding:
    try:
        paths.create()
    except HomeError as error:
        return Finding("TLSEARCH_HOME", str(error.received), False, advice=error.hint or "")
    free = shutil.disk_usage(paths.home).free
    found = f"{paths.home} ({free / 1024**3:.0f} GiB free)"
    return Finding("TLSEARCH_HOME", found, free > LEAST_FREE, advice="make room on this disk")


def _weights() -> Finding:
    """Which ImageNet weights are on this machine already; others are downloaded when needed."""
    folder = models_folder()
    files = sorted(folder.glob("*.h5"))
    advice = "they are downloaded when a sweep needs them; KERAS_HOME says where they lie"
    found = f"{len(files)} files in {folder}"
    return Finding("ImageNet weights", found, bool(files), needed=False, advice=advice)


def _builtin_weights() -> Iterator[Finding]:
    for row in BACKBONES.values():
        if row.weights == "builtin":
            what = f"{row.name}'s own weights"
            try:
                kib = builtin(row).stat().st_size / 1024
            except WeightsError as error:
                yield Finding(what, "missing", False, needed=False, advice=error.hint or "")
            else:
                yield Finding(what, f"they come with tlsearch ({kib:,.0f} KiB)", True)


def _print(findings: list[Finding]) -> None:
    console = screen()
    for finding in findings:
        lack = "[red]no[/]  " if finding.needed else "[yellow]-[/]   "
        sign = "[green]ok[/]  " if finding.fine else lack
        advice = "" if finding.fine or not finding.advice else escape(f"  ({finding.advice})")
        console.print(f"{sign}{escape(f'{finding.what}: {finding.found}')}{advice}")
