"""How fast a bundle is served: tlsearch, its peers, and onnxruntime in a bare loop as the limit.

    python benchmarks/serving.py [--sides NAME,NAME] [--rounds 3] [--output FILE.json]
    python benchmarks/serving.py --quick
    python benchmarks/serving.py --endpoint jpeg
    python benchmarks/serving.py --dependencies --sides none
    python benchmarks/serving.py --idlers 200 --sides tlsearch,tlsearch-beside-idlers --quick
    python benchmarks/serving.py --provider cuda --variant fp16 --bundle DIR --images 32

Every side has the same ONNX file, the same onnxruntime with one thread on a call, and an
environment of its own (installed once, in --environments). Its processes run on one core, the load
on another: `hey` where it is installed, else a generator on uvloop that is measured itself. In each
round the sides begin with another one, and the bare loop runs before each of them. A peer that
cannot be installed or started is a line with its reason. The JSON holds every single measurement.
For Linux.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from peers.command import carry_out
from rich.console import Console
from serving_peers.comparison import compare
from serving_peers.load import LOADS
from serving_peers.table import show

QUICK = {"rounds": 1, "seconds": 3.0, "connections": [1, 16]}
DEFAULTS = {"rounds": 3, "seconds": 8.0, "connections": [1, 4, 16, 64]}


def main(arguments: Sequence[str] | None = None) -> int:
    # So that what a side has started ends with the benchmark.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    return carry_out(parse(arguments), find, show)


def find(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    def tell(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    return compare(options, tell)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options; `--quick` sets those that are not given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="short; only peers that are installed")
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="one with random weights")
    parser.add_argument("--variant", choices=("fp32", "fp16", "int8"), default="fp32")
    parser.add_argument("--provider", choices=("cpu", "cuda"), default="cpu", help="cuda: no peers")
    parser.add_argument("--images", type=int, default=1, help="in a request; of several: no peers")
    parser.add_argument("--endpoint", choices=("tensor", "jpeg"), default="tensor")
    parser.add_argument("--photo", type=Path, metavar="FILE", help="a JPEG; else one is drawn")
    parser.add_argument("--sides", type=words, metavar="A,B", help="all of them; or none")
    parser.add_argument("--connections", type=numbers, metavar="A,B", help="1,4,16,64")
    parser.add_argument("--idlers", type=int, default=0, help="also ours beside so many; 0")
    parser.add_argument("--seconds", type=float, help="of load, each time; 8")
    parser.add_argument("--rounds", type=int, help="3")
    parser.add_argument("--load", choices=list(LOADS), help="hey, if it is installed")
    parser.add_argument("--core", type=int, help="of the servers; the first")
    parser.add_argument("--environments", type=Path, metavar="FOLDER", default=environments())
    parser.add_argument("--dependencies", action="store_true", help="also size and import time")
    parser.add_argument("--output", type=Path, metavar="FILE.json")
    parser.add_argument("--keep", action="store_true", help="leave the temporary folder")
    options = parser.parse_args(arguments)
    for name, value in (QUICK if options.quick else DEFAULTS).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def words(told: str) -> list[str]:
    return [word.strip().lower() for word in told.split(",")]


def numbers(told: str) -> list[int]:
    return [int(number) for number in told.split(",")]


def environments() -> Path:
    """In the user's folder for caches."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "tlsearch" / "serving-benchmark"


if __name__ == "__main__":
    sys.exit(main())
