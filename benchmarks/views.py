"""What `data.views` is worth: trials that draw from kept views against renditions made anew.

    python benchmarks/views.py [--views 4 --views 8 ...] [--photos 1500] [--seeds 3]
        [--output FILE.json]

The same fine-tuned trials, each with several seeds, once for every number of views and once with
`online`, which makes new renditions of every photo in every epoch. The photos are split so that
most of the difference is not the luck of a few: as many judge as learn. All that is said is
validation accuracy of the best epoch. Needs ImageNet weights in KERAS_HOME.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from peers.command import carry_out
from peers.machine import facts
from peers.ours import run_sweep
from peers.photos import link
from rich.console import Console
from rich.table import Table

DATA = Path(__file__).parents[2] / "shared" / "data" / "flower_photos"
ONLINE = "online"
SPLIT = {"train": 0.5, "validation": 0.48, "test": 0.02, "seed": 7}
TRIALS: tuple[dict[str, Any], ...] = (
    {"backbone": "MobileNet", "unfreeze": 3},
    {"backbone": "MobileNetV2", "unfreeze": 3},
)


def main(arguments: Sequence[str] | None = None) -> int:
    return carry_out(parse(arguments), compare, show)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, metavar="FOLDER")
    parser.add_argument("--photos", type=int, help="how many photos; all of them")
    parser.add_argument("--views", type=int, action="append", help="4, 8 and 16")
    parser.add_argument("--image-size", type=int, default=160)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--augment", default="light")
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--output", type=Path, metavar="FILE.json")
    return parser.parse_args(arguments)


def compare(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Run a sweep for every number of views; all that was found, ready for JSON."""
    found = {}
    with tempfile.TemporaryDirectory(prefix="tlsearch-benchmark-") as folder:
        photos = link(options.data, options.photos, Path(folder) / "photos")
        for views in [*(options.views or (4, 8, 16)), ONLINE]:
            console.print(f"views: {views}", markup=False, highlight=False)
            place = Path(folder) / str(views)
            ran = run_sweep(place / "sweep.yaml", sweep(options, photos, views), place / "home")
            shutil.rmtree(place)
            found[str(views)] = _accuracies([row for _, row in ran.named("trial_ended")])
            console.print(str(found[str(views)]), markup=False, highlight=False)
    names = ("image_size", "epochs", "seeds", "photos", "augment", "learning_rate")
    setting = {name: getattr(options, name) for name in names}
    return {"schema": 1, "machine": facts(), "setting": setting, "found": found}


def sweep(options: argparse.Namespace, photos: Path, views: int | str) -> dict[str, Any]:
    """Every trial once for each seed: a trial's seed follows from its number."""
    return {
        "version": 1,
        "name": "views",
        "data": {"source": str(photos), "split": SPLIT, "views": views},
        "budget": {"trials": len(TRIALS) * options.seeds},
        "search": {
            "sampler": "random",
            "pruner": "none",
            "enqueue": [trial for trial in TRIALS for _ in range(options.seeds)],
        },
        "space": {
            "backbone": sorted({trial["backbone"] for trial in TRIALS}),
            "strategy": "fine_tune",
            "unfreeze": [1, 2, 3],
            "image_size": options.image_size,
            "head_learning_rate": 5e-3,
            "learning_rate": options.learning_rate,
            "dropout": 0.2,
            "augment": options.augment,
        },
        "train": {"epochs": options.epochs, "early_stopping": None},
        "execution": {"workers": 1},
        "store": {"use": "never" if views == ONLINE else "always"},
    }


def _accuracies(rows: Sequence[dict[str, Any]]) -> dict[str, list[float]]:
    """By trial, of each seed."""
    found: dict[str, list[float]] = {}
    for row in sorted(rows, key=lambda row: row["trial"]):
        found.setdefault(f"{row['backbone']} {row['unfreeze']}", []).append(row["value"])
    return found


def show(findings: dict[str, Any], console: Console) -> None:
    """Print each trial's mean over the seeds, and its difference to renditions made anew."""
    found, table = findings["found"], Table("views", title="validation accuracy")
    for trial in found[ONLINE]:
        table.add_column(trial)
    for views, trials in found.items():
        cells = [_cell(values, found[ONLINE][name]) for name, values in trials.items()]
        table.add_row(views, *cells)
    console.print(table)


def _cell(values: Sequence[float], online: Sequence[float]) -> str:
    spread = f" ± {100 * stdev(values):.1f}" if len(values) > 1 else ""
    points = 100 * (fmean(values) - fmean(online))
    return f"{100 * fmean(values):.1f}{spread} ({points:+.1f})"


if __name__ == "__main__":
    sys.exit(main())
