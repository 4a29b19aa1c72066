"""Whether screening pays: its cost and its ranking, against fine-tuning every backbone.

    python benchmarks/screening.py [--data FOLDER] [--epochs 10] [--rounds 3] [--keep 3]
        [--output FILE.json]

In each round `tlsearch run` screens the backbones, and then fine-tunes each of them in a sweep of
its own, with a store of its own that is cold. Every round splits the photos anew, and all that is
said of a backbone's accuracy is the mean over the rounds, on validation. Screening's seconds are
those from its first notice to its last, a fine-tune's those from the start of its trial to its end;
a worker starts before, while the photos are read, and what is left of that is in both. The second
figure is what the jobs themselves took. Needs ImageNet weights in KERAS_HOME.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from peers.command import carry_out
from peers.machine import facts
from peers.ours import run_sweep
from peers.photos import link
from peers.process import Run
from peers.rankings import judge
from rich.console import Console
from rich.table import Table

from tlsearch.config.schema import BackboneChoice
from tlsearch.search.screening import candidate

DATA = Path(__file__).parents[2] / "shared" / "data" / "flower_photos"
BACKBONES: tuple[dict[str, Any], ...] = (
    {"name": "MobileNetV2"},
    {"name": "MobileNet"},
    {"name": "MobileNet", "alpha": 0.5},
    {"name": "MobileNet", "alpha": 0.25},
)
FACTS = ("accuracy", "seconds", "own_seconds", "sizes", "published")
FIRST_SEED = 7


def main(arguments: Sequence[str] | None = None) -> int:
    return carry_out(parse(arguments), compare, show)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, metavar="FOLDER")
    parser.add_argument("--photos", type=int, help="how many photos; all of them")
    parser.add_argument("--image-size", type=int, default=160)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--unfreeze", type=int, default=3, help="blocks that are fine-tuned")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=int, default=3, help="as search.screening.keep")
    parser.add_argument("--output", type=Path, metavar="FILE.json")
    return parser.parse_args(arguments)


def compare(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Run the rounds; all that was found, ready for JSON."""
    with tempfile.TemporaryDirectory(prefix="tlsearch-benchmark-") as folder:
        photos = link(options.data, options.photos, Path(folder) / "photos")
        rounds = []
        for number in range(options.rounds):
            one = Round(options, photos, Path(folder) / str(number), number)
            rounds.append(one.run(console))
            console.print(f"round {number + 1}: {rounds[-1]}", markup=False, soft_wrap=True)
    chosen = {name: getattr(options, name) for name in ("image_size", "epochs", "unfreeze", "keep")}
    return {
        "schema": 1,
        "machine": facts(),
        "setting": chosen,
        "rounds": rounds,
        "found": judge(rounds, options.keep),
    }


class Round:
    """One split of the photos: screened, and every backbone fine-tuned."""

    def __init__(
        self, options: argparse.Namespace, photos: Path, folder: Path, number: int
    ) -> None:
        self._options = options
        self._photos = photos
        self._folder = folder
        self._number = number

    def run(self, console: Console) -> dict[str, Any]:
        found: dict[str, Any] = {name: {} for name in FACTS}
        # What is cold or busy at a round's start meets another one in each round.
        shift = self._number % len(BACKBONES)
        for backbone in [*BACKBONES[shift:], *BACKBONES[:shift]]:
            choice = BackboneChoice.model_validate(backbone)
            console.print(f"fine-tuning {choice.label}", markup=False, highlight=False)
            ran = self._run(choice.label, self._fine_tune(backbone))
            (began, _), (ended, row) = ran.named("trial_started")[0], ran.named("trial_ended")[0]
            found["accuracy"][choice.label] = row["value"]
            found["seconds"][choice.label] = ended - began
            found["own_seconds"][choice.label] = row["seconds"]
            built = ran.named("network_built")[0][1]
            found["sizes"][choice.label] = built["total_parameters"]
            size = self._options.image_size
            found["published"][choice.label] = candidate(choice, [size]).published
        console.print("screening", markup=False)
        return {**found, **_screened(self._run("screening", self._screen()))}

    def _run(self, name: str, contents: dict[str, Any]) -> Run:
        folder = self._folder / "".join(c if c.isalnum() else "-" for c in name)
        ran = run_sweep(folder / "sweep.yaml", contents, folder / "home")
        shutil.rmtree(folder)
        return ran

    def _fine_tune(self, backbone: dict[str, Any]) -> dict[str, Any]:
        head = min(3, self._options.epochs // 2)
        space = {
            "backbone": backbone,
            "strategy": "fine_tune",
            "unfreeze": self._options.unfreeze,
            "head_learning_rate": 5e-3,
            "learning_rate": 3e-4,
        }
        return self._sweep(space, {}, {"epochs": self._options.epochs, "head_epochs": head})

    def _screen(self) -> dict[str, Any]:
        """A sweep that screens, and trains one head because a sweep has at least one trial."""
        space = {"backbone": list(BACKBONES), "strategy": "feature_extraction"}
        return self._sweep(space, {"screening": {"keep": self._options.keep}}, {"epochs": 1})

    def _sweep(
        self, space: dict[str, Any], search: dict[str, Any], train: dict[str, Any]
    ) -> dict[str, Any]:
        split = {"train": 0.8, "validation": 0.1, "test": 0.1, "seed": FIRST_SEED + self._number}
        return {
            "version": 1,
            "name": "screening",
            "data": {"source": str(self._photos), "split": split},
            "budget": {"trials": 1},
            "search": {"sampler": "random", "pruner": "none", "seed": self._number, **search},
            "space": {**space, "image_size": self._options.image_size},
            "train": {**train, "early_stopping": None},
            "execution": {"workers": 1},
        }


def _screened(ran: Run) -> dict[str, Any]:
    began, (ended, result) = ran.named("screening")[0][0], ran.named("screened")[0]
    return {
        "ranking": [row["backbone"] for row in result["rows"]],
        "screening_seconds": ended - began,
        "screening_own_seconds": sum(row["seconds"] for row in result["rows"]),
        "rows": result["rows"],
        "remarks": result["remarks"],
    }


def show(findings: dict[str, Any], console: Console) -> None:
    """Print a table of the backbones, one of the rankings, and the ratio of the costs."""
    found, rounds = findings["found"], findings["rounds"]
    table = Table("backbone", "fine-tuned", "seconds", "places in screening", title="backbones")
    for name, accuracy in sorted(found["accuracy"].items(), key=lambda item: -item[1]):
        seconds = ", ".join(f"{one['seconds'][name]:.0f}" for one in rounds)
        places = ", ".join(str(one["ranking"].index(name) + 1) for one in rounds)
        table.add_row(name, f"{accuracy:.4f}", seconds, places)
    console.print(table)
    keep = findings["setting"]["keep"]
    rankings = Table("ranking", "Kendall's tau", "lost by its first", f"by its first {keep}")
    for name, tau in found["tau"].items():
        lost = (found["regret_of_first"][name], found["regret_of_kept"][name])
        rankings.add_row(name, f"{tau:.2f}", *(f"{100 * one:.2f} points" for one in lost))
    console.print(rankings)
    for name, cost in found["cost"].items():
        console.print(
            f"{name}: screening {cost['screening']:.1f} s, fine-tunes {cost['fine_tunes']:.1f} s, "
            f"{cost['times_cheaper']:.1f} times cheaper"
        )


if __name__ == "__main__":
    sys.exit(main())
