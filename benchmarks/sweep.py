"""How long sweeps take: tlsearch with and without its store, plain Optuna + Keras, KerasTuner.

    python benchmarks/sweep.py [--scenario NAME]... [--rounds 3] [--sample K] [--output FILE.json]
    python benchmarks/sweep.py --quick

Every side gets the same photos, split, list of trials, epochs, batch size and optimizer. Each runs
in a process of its own, timed from its start to its exit, imports included; in each round the
sides begin with another one. Nothing is warm: every side decodes the photos itself, once. With
`--sample K` sides whose trials share nothing run K trials and are scaled up, and the table says so.
The JSON holds every single measurement. Needs ImageNet weights in KERAS_HOME.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from peers.bench import Bench
from peers.command import carry_out
from peers.machine import facts
from peers.photos import count_photos, split_folders
from peers.scenarios import SCENARIOS
from peers.table import show
from peers.task import Setting
from peers.trials import BACKBONES
from rich.console import Console

from tlsearch.backbones.table import find
from tlsearch.backbones.weights import published
from tlsearch.errors import WeightsError

DATA = Path(__file__).parents[2] / "shared" / "data" / "flower_photos"
QUICK = {"photos": 150, "image_size": 96, "epochs": 2, "rounds": 1, "trials": 3, "sample": 1}
QUICK_SCENARIOS = ["feature_extraction", "mixed"]


def main(arguments: Sequence[str] | None = None) -> int:
    # So that what a side has started ends with the benchmark.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    return carry_out(parse(arguments), compare, show)


def compare(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Run the scenarios; all that was found, ready for JSON."""
    check_weights(options.image_size)
    with scratch(keep=options.keep) as folder:
        photos = split_folders(options.data, options.photos, folder / "photos")
        setting = _setting(options, photos)
        # A handful of photos judges nothing, so the quick one compares no accuracies.
        repeats = 0 if options.quick else 4
        bench = Bench(setting, folder, options.rounds, options.sample, _say(console), repeats)
        return {
            "schema": 1,
            "machine": facts(),
            "photos": count_photos(photos),
            "rounds": options.rounds,
            "sample": options.sample,
            "setting": asdict(setting),
            "scenarios": {name: run(name, bench, options.trials) for name in options.scenario},
        }


def run(name: str, bench: Bench, trials: int | None) -> dict[str, Any]:
    bench.tell(f"scenario {name}")
    scenario = SCENARIOS[name]
    return scenario.run(bench, trials or scenario.trials)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options; `--quick` sets those that are not given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenario", action="append", choices=list(SCENARIOS), help="all of them")
    parser.add_argument("--quick", action="store_true", help="five minutes on two cores")
    parser.add_argument("--data", type=Path, default=DATA, metavar="FOLDER")
    parser.add_argument("--photos", type=int, help="how many photos; all of them")
    parser.add_argument("--image-size", type=int, help="160")
    parser.add_argument("--epochs", type=int, help="10")
    parser.add_argument("--trials", type=int, help="of each scenario; 20, 24, 100 and 4")
    parser.add_argument("--rounds", type=int, help="3")
    parser.add_argument("--sample", type=int, metavar="K", help="trials of sides that scale up")
    parser.add_argument("--output", type=Path, metavar="FILE.json")
    parser.add_argument("--keep", action="store_true", help="leave the temporary folder")
    options = parser.parse_args(arguments)
    defaults = {"image_size": 160, "epochs": 10, "rounds": 3, "scenario": list(SCENARIOS)}
    if options.quick:
        defaults |= {**QUICK, "scenario": QUICK_SCENARIOS}
    for name, value in defaults.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def check_weights(image_size: int) -> None:
    """Raises WeightsError where a backbone's weights are not at hand."""
    files = [published(find(name), None, image_size).path for name in BACKBONES]
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        raise WeightsError(
            "the benchmark's backbones have no weights here",
            received=f"no {', no '.join(missing)}",
            expected="the ImageNet weights that keras.applications reads",
            hint="KERAS_HOME=FOLDER with models/ in it, or let `tlsearch run` fetch them first",
        )


@contextmanager
def scratch(*, keep: bool) -> Iterator[Path]:
    """A temporary folder, below TMPDIR if that is set."""
    folder = Path(tempfile.mkdtemp(prefix="tlsearch-benchmark-"))
    try:
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def _setting(options: argparse.Namespace, photos: Path) -> Setting:
    head = min(3, options.epochs // 2)
    return Setting(str(photos), options.image_size, options.epochs, head_epochs=head)


def _say(console: Console) -> Any:
    return lambda text: console.print(text, markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
