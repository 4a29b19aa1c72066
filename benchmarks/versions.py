"""What a sweep costs with this version and with another one: the same command, side by side.

    python benchmarks/versions.py CHECKOUT [--sweep FILE] [--rounds 3] [--output FILE.json]
        [key=value ...]

CHECKOUT is a folder with another version's source, such as a `git worktree` of an earlier commit.
Each round runs `tlsearch run` once from each, in turn, in a home of its own; the other one begins
every second round. Both use this Python and its packages. Printed are seconds of wall clock, from
the start of the command to its end, and of processor, of all its processes, and their ratios.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from peers.command import carry_out
from peers.machine import facts
from rich.console import Console
from rich.table import Table

from tlsearch.errors import NoResultError

HERE = Path(__file__).parents[1]
THIS, OTHER = "this", "other"


def main(arguments: Sequence[str] | None = None) -> int:
    return carry_out(parse(arguments), compare, show)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("other", type=Path, metavar="CHECKOUT")
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    parser.add_argument("--sweep", type=Path, default=HERE / "sweeps" / "quickstart.yaml")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, metavar="FILE.json")
    return parser.parse_args(arguments)


def compare(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Run the rounds; all that was found, ready for JSON."""
    sources = {THIS: HERE, OTHER: options.other.resolve()}
    found: dict[str, list[dict[str, float]]] = {THIS: [], OTHER: []}
    for number in range(options.rounds):
        for name in [THIS, OTHER] if number % 2 == 0 else [OTHER, THIS]:
            found[name].append(_run(sources[name], options))
            console.print(f"round {number + 1}, {name}: {found[name][-1]}", markup=False)
    return {
        "schema": 1,
        "machine": facts(),
        "sweep": options.sweep.name,
        "overrides": options.overrides,
        "found": found,
    }


def _run(source: Path, options: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, "-P", "-m", "tlsearch", "run", str(options.sweep.resolve())]
    with tempfile.TemporaryDirectory(prefix="tlsearch-benchmark-") as folder:
        kept = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
        home = {"TLSEARCH_HOME": f"{folder}/home", "PYTHONPATH": str(source)}
        started, before = time.perf_counter(), _processor()
        done = subprocess.run(
            [*command, *options.overrides],
            env={**kept, **home},
            cwd=folder,
            capture_output=True,
            text=True,
        )
        seconds = time.perf_counter() - started
    if done.returncode:
        raise NoResultError(f"the sweep failed from {source}", received=done.stderr[-2000:])
    return {"wall": seconds, "processor": _processor() - before}


def _processor() -> float:
    """Seconds of all processes that have ended and were waited for, theirs included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def show(findings: dict[str, Any], console: Console) -> None:
    """Print both sides' medians, and the median of the rounds' ratios."""
    found = findings["found"]
    table = Table("seconds", THIS, OTHER, "ratio", title=findings["sweep"])
    for what in ("wall", "processor"):
        ours, theirs = ([one[what] for one in found[name]] for name in (THIS, OTHER))
        ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
        cells = f"{median(ours):.1f}", f"{median(theirs):.1f}"
        spread = f"{median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
        table.add_row(what, *cells, spread)
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
