"""The whole comparison, from the options of the command to findings ready for JSON."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from serving_peers import dependencies
from serving_peers.bench import Bench, Limit
from serving_peers.environments import Environment, Environments, engine
from serving_peers.findings import claims, side_rows
from serving_peers.load import choose
from serving_peers.machine import facts, two_cores
from serving_peers.measurement import Measurement
from serving_peers.sides import (
    ALL_OURS,
    OURS,
    Side,
    photo_sides,
    tensor_sides,
    with_idlers,
    with_int8,
)
from serving_peers.task import draw_photo, has_int8, make_task
from tlsearch.errors import NoResultError, UsageError

Tell = Callable[[str], None]
NOBODY = ["none"]
BATCHES = {"cpu": (1, 2, 4, 8, 16, 32), "cuda": (1, 8, 32, 64, 128, 256)}
_BUNDLE = Path(__file__).with_name("bundle.py")


@dataclass
class Field:
    """Who takes part: the sides with their environments, and why others do not."""

    entered: dict[Side, Environment] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def leave(self, side: Side, error: NoResultError) -> None:
        self.entered.pop(side, None)
        lines = str(error.received).strip().splitlines()
        self.failures[side.name] = f"{error.what}: {lines[-1].strip()}"


def compare(options: argparse.Namespace, tell: Tell) -> dict[str, Any]:
    """All that was found.

    Raises:
        UsageError: an unknown side. SetupError: the machine lacks something that all need.
    """
    environments = Environments(options.environments, tell)
    found: dict[str, Any] = {"schema": 1}
    if options.sides != NOBODY:
        with _scratch(keep=options.keep) as folder:
            found |= _compare_speed(options, environments, folder, tell)
    if options.dependencies:
        found["dependencies"] = dependencies.compare(environments)
    return found


_TOLD = ("endpoint", "variant", "provider", "images", "rounds", "seconds")


def _compare_speed(
    options: argparse.Namespace, environments: Environments, folder: Path, tell: Tell
) -> dict[str, Any]:
    photo = draw_photo(options.photo, folder / "photo.jpg") if options.endpoint == "jpeg" else None
    core, load_core = two_cores(options.core)
    load = choose(options.load, load_core)
    bundle = options.bundle or _make_bundle(folder / "bundle", tell)
    sides = _sides(options, bundle, photo)
    entrants = enter(_chosen(sides, options.sides), environments, options)
    bench = Bench(
        make_task(bundle, options.variant, photo, options.images, options.provider),
        folder,
        core,
        load,
        options.seconds,
        options.connections,
        _environment(sides[0], environments, options.provider),
        tell,
    )
    ceiling = bench.ceiling()
    limits = {
        name: best_batch(bench.for_precision(name).limit(BATCHES[options.provider], 1.0))
        for name in dict.fromkeys([None, *(side.precision for side in entrants.entered)])
    }
    measurements = interleave(bench, entrants, options.rounds, limits)
    return {
        "machine": facts(core, load_core),
        "engine": engine(),
        **{name: getattr(options, name) for name in _TOLD},
        "load": load.name,
        "ceiling": ceiling,
        "limit": limits[None],
        "sides": [_about(side, entrants) for side in sides if _takes_part(side, entrants)],
        "tables": {str(one): side_rows(measurements, one) for one in options.connections},
        "claims": claims(measurements, options.connections),
        "measurements": [asdict(one) for one in measurements],
    }


def best_batch(found: dict[int, Limit]) -> Limit:
    """The limit at the batch size that is fastest."""
    batch = max(found, key=lambda size: found[size]["images_per_second"])
    return {"batch": batch, **found[batch]}


def enter(sides: Sequence[Side], environments: Environments, options: argparse.Namespace) -> Field:
    """Install what the sides need; in a hurry, only those that are installed take part."""
    entrants = Field()
    for side in sides:
        name = side.environment
        is_ready = name == OURS or environments.is_ready(name, side.requirements)
        if options.quick and not is_ready:
            entrants.failures[side.name] = "not installed yet: run once without --quick"
            continue
        try:
            entrants.entered[side] = _environment(side, environments, options.provider)
        except NoResultError as error:
            entrants.leave(side, error)
    return entrants


def _environment(side: Side, environments: Environments, provider: str) -> Environment:
    """On a GPU, the one that this runs in: there stands the onnxruntime that fits it."""
    if provider == "cpu":
        return environments.get(side.environment, side.requirements)
    return Environment(Path(sys.prefix))


def interleave(
    bench: Bench, entrants: Field, rounds: int, limits: Mapping[str | None, Limit]
) -> list[Measurement]:
    """Every side once a round, each round beginning with another one.

    Args:
        limits: of a bare loop, with the batch size that is best, by the sides' precision.
    """
    found: list[Measurement] = []
    for round_ in range(rounds):
        sides = list(entrants.entered)
        start = round_ % max(len(sides), 1)
        for side in [*sides[start:], *sides[:start]]:
            bench.tell(f"round {round_ + 1}: {side.name}")
            own = bench.for_precision(side.precision)
            batch = int(limits[side.precision]["batch"])
            limit = own.limit([batch])[batch]
            bench.tell(f"  bare loop: {limit['images_per_second']:.0f} images/s")
            try:
                found += own.measure(side, entrants.entered[side], round_, limit)
            except NoResultError as error:
                bench.tell(f"  {error}")
                entrants.leave(side, error)
    return found


def _sides(options: argparse.Namespace, bundle: Path, photo: Path | None) -> Sequence[Side]:
    """Peers know no photos, no GPU here, and one image in a request."""
    sides = photo_sides(photo.read_bytes()) if photo else tensor_sides()
    if options.variant == "fp32" and has_int8(bundle):
        sides = with_int8(sides)
    if options.idlers:
        sides = with_idlers(sides, options.idlers)
    if options.images == 1 and options.provider == "cpu":
        return sides
    return [side for side in sides if side.name in ALL_OURS]


def _chosen(sides: Sequence[Side], names: list[str] | None) -> list[Side]:
    known = {side.slug: side for side in sides}
    unknown = set(names or ()) - known.keys()
    if unknown:
        raise UsageError(
            "no such side",
            received=", ".join(sorted(unknown)),
            expected=f"some of {', '.join(known)}, or none",
        )
    return [side for slug, side in known.items() if names is None or slug in names]


def _takes_part(side: Side, entrants: Field) -> bool:
    return side in entrants.entered or side.name in entrants.failures


def _about(side: Side, entrants: Field) -> dict[str, Any]:
    about = {"side": side.name, "wire": side.wire.told, "settings": side.settings}
    if side in entrants.entered and side.environment != OURS:
        about["version"] = entrants.entered[side].versions().get(side.package, "")
    if side.name in entrants.failures:
        about["failure"] = entrants.failures[side.name]
    return about


def _make_bundle(folder: Path, tell: Tell) -> Path:
    tell("making a bundle: MobileNetV2, 96 px, random weights")
    command = [sys.executable, "-P", str(_BUNDLE), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise NoResultError(
            "no bundle could be made",
            received=done.stderr[-500:],
            hint="give one: --bundle DIR",
        )
    return folder


@contextmanager
def _scratch(*, keep: bool) -> Iterator[Path]:
    """A temporary folder with a short name: servers put sockets in it."""
    folder = Path(tempfile.mkdtemp(prefix="tls-"))
    try:
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
