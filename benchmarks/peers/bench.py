"""A benchmark's setting and scratch folder, and the sides that can be run in it."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from peers import ours
from peers.measurement import Measurement, measure
from peers.process import run
from peers.task import Setting, Task
from peers.trials import BACKBONES, DEPTHS, Part, Trial, sample, whole
from tlsearch.backbones.table import BACKBONES as TABLE

Tell = Callable[[str], None]
_PEERS = Path(__file__).parent.parent


@dataclass(frozen=True)
class Bench:
    """What all sides of a benchmark share.

    sampled: how many trials of a list those sides run whose trials share nothing; None is all.
    repeats: how many trials are repeated to see what a seed makes, and with how many seeds each;
        with 0 no accuracies are compared.
    """

    setting: Setting
    scratch: Path
    rounds: int
    sampled: int | None
    tell: Tell
    repeats: int = 4
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def folder(self, side: str) -> Path:
        """Where one run can have its files; its name is also fit for a sweep."""
        words = re.findall(r"[A-Za-z0-9]+", side)
        return self.scratch / "-".join([f"{next(self._numbers):03d}", *words])


@dataclass(frozen=True)
class Peer:
    """A script of this package, by the name of its module."""

    name: str
    module: str
    samples: bool = True
    """Its trials share nothing, so that some of them can stand for all."""

    def run(self, bench: Bench, trials: Sequence[Trial], part: Part, round_: int) -> Measurement:
        folder = bench.folder(self.name)
        folder.mkdir(parents=True)
        chosen = tuple(trials[i] for i in part.positions)
        file = Task(bench.setting, chosen, boundaries()).save(folder / "task.json")
        command = [sys.executable, "-m", f"peers.{self.module}", str(file)]
        done = run(command, {**os.environ, "PYTHONPATH": str(_PEERS)}, folder)
        return measure(done, self.name, round_, trials, part)


@dataclass(frozen=True)
class Ours:
    """`tlsearch run`. Without a home each run gets a fresh one: nothing decoded or stored."""

    name: str
    use: str = "auto"
    home: Path | None = None
    samples: bool = False
    memory: bool = False
    setting: Setting | None = None

    def run(self, bench: Bench, trials: Sequence[Trial], part: Part, round_: int) -> Measurement:
        folder = bench.folder(self.name)
        setting = self.setting or bench.setting
        chosen = [trials[i] for i in part.positions]
        contents = ours.sweep(folder.name, setting, chosen, self.use)
        home = self.home or folder / "home"
        done = ours.run_sweep(folder / "sweep.yaml", contents, home, memory=self.memory)
        if self.home is None:
            shutil.rmtree(home)
        return measure(done, self.name, round_, trials, part)


Side = Peer | Ours


def boundaries() -> dict[str, str]:
    """The layer that ends the frozen blocks, for each backbone and depth."""
    return {
        f"{name} {depth}": TABLE[name].blocks[-depth - 1] for name in BACKBONES for depth in DEPTHS
    }


def interleave(bench: Bench, sides: Sequence[Side], trials: Sequence[Trial]) -> list[Measurement]:
    """Run every side once a round, each round beginning with another one."""
    found = []
    for round_ in range(bench.rounds):
        start = round_ % len(sides)
        for side in [*sides[start:], *sides[:start]]:
            part = sample(trials, bench.sampled, round_) if side.samples else whole(trials)
            bench.tell(f"round {round_ + 1}: {side.name}, {len(part.positions)} trials")
            found.append(side.run(bench, trials, part, round_))
            bench.tell(f"  {found[-1].seconds:.1f} s")
    return found
