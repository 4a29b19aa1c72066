"""What is compared: feature extraction, a mixed sweep, many heads, and memory.

Each scenario is a function from a `Bench` to what it found, ready for JSON: its list of trials,
every measurement, and `figures`, the rows of its table.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from peers import trials as lists
from peers.accuracy import against_spread, best_rows, repeat_with_seeds, spread_rows
from peers.bench import Bench, Ours, Peer, Side, interleave
from peers.figures import of_side
from peers.measurement import Measurement
from peers.photos import count_photos, repeat
from peers.rows import Row, figure, growth_rows, memory_rows, ratio_row, time_rows
from peers.trials import Trial, whole

COLD, STORED, WITHOUT = "tlsearch, cold store", "tlsearch, stored", "tlsearch, no store"
PLAIN, PRECOMPUTED = "Optuna + keras.fit", "Optuna + features per trial"
TUNER = "KerasTuner"

COPIES = 10

Findings = dict[str, Any]


@dataclass(frozen=True)
class Scenario:
    """How many trials it runs where nothing else is said, and what runs them."""

    trials: int
    run: Callable[[Bench, int], Findings]


def feature_extraction(bench: Bench, count: int) -> Findings:
    """One backbone, no augmentation: cold and stored, against fitting the whole network."""
    trials = lists.feature_extraction(count)
    home = _store_features(bench, trials)
    sides = [Ours(COLD), Ours(STORED, home=home), Peer(PLAIN, "plain")]
    sides.append(Peer(PRECOMPUTED, "precomputed"))
    found = interleave(bench, sides, trials)
    shutil.rmtree(home)
    rows = time_rows(found, _names(sides))
    for peer in (PLAIN, PRECOMPUTED):
        rows.append(ratio_row("one trial", found, peer, STORED, trial_seconds))
        rows.append(ratio_row(f"{count} trials", found, peer, COLD, whole_seconds))
    return _findings(trials, found, rows)


def mixed(bench: Bench, count: int) -> Findings:
    """Feature extraction and fine-tuning on both backbones, by all four sides."""
    trials = lists.mixed(count)
    sides = [Ours(COLD), Ours(WITHOUT, "never", samples=True)]
    sides += [Peer(PLAIN, "plain"), Peer(TUNER, "tuner")]
    found = interleave(bench, sides, trials)
    slower = (WITHOUT, PLAIN, TUNER)
    rows = time_rows(found, _names(sides))
    rows += [ratio_row(f"{count} trials", found, slow, COLD, whole_seconds) for slow in slower]
    if not bench.repeats:
        return _findings(trials, found, rows)
    compared = against_spread(found, (COLD, WITHOUT), trials, repeat_with_seeds(bench, trials))
    rows += best_rows(found, COLD, slower) + spread_rows(compared)
    return _findings(trials, found, rows) | {"accuracy": compared}


def heads(bench: Bench, count: int) -> Findings:
    """Heads alone on features that an earlier sweep has stored."""
    trials = lists.feature_extraction(count)
    home = _store_features(bench, trials)
    found = interleave(bench, [Ours(STORED, home=home)], trials)
    shutil.rmtree(home)
    after_first = median(one.search_seconds / max(1, count - 1) for one in found)
    rows = time_rows(found, [STORED])
    rows.append(figure("a trial, whole command", median(m.seconds / count for m in found), "s"))
    rows.append(figure("a trial, from the first one's end to the last one's", after_first, "s"))
    return _findings(trials, found, rows)


def memory(bench: Bench, count: int) -> Findings:
    """One sweep on the photos, and one on ten copies of each."""
    trials = lists.one_of_each()[:count]
    bench.tell("copying photos")
    single = Path(bench.setting.photos)
    copies = repeat(single, COPIES, bench.scratch / "copies")
    folders = {"photos": single, f"{COPIES} copies of each": copies}
    sides = [
        Ours(name, memory=True, setting=replace(bench.setting, photos=str(folder)))
        for name, folder in folders.items()
    ]
    found = interleave(bench, sides, trials)
    counts = {name: count_photos(folder) for name, folder in folders.items()}
    shutil.rmtree(copies)
    few, many = (of_side(found, name) for name in folders)
    rows = time_rows(found, list(folders))
    rows += memory_rows(few) + memory_rows(many) + growth_rows(few, many, COPIES)
    return _findings(trials, found, rows) | {"photos": counts}


def whole_seconds(one: Measurement) -> float:
    """Of the whole list, start to exit."""
    return one.whole_seconds


def trial_seconds(one: Measurement) -> float:
    """A trial's seconds: the median of all but the first, in which libraries warm up."""
    return median(one.trial_seconds[1:] or one.trial_seconds)


def _store_features(bench: Bench, trials: Sequence[Trial]) -> Path:
    """A home in which a sweep of one trial has stored the features of the list's backbone."""
    home = bench.folder("stored") / "home"
    bench.tell("storing features")
    Ours("storing", "always", home=home).run(bench, trials[:1], whole(trials[:1]), 0)
    return home


def _names(sides: Sequence[Side]) -> list[str]:
    return [side.name for side in sides]


def _findings(
    trials: Sequence[Trial], found: Sequence[Measurement], rows: Sequence[Row]
) -> Findings:
    return {
        "trials": [asdict(trial) for trial in trials],
        "measurements": [one.as_dict() for one in found],
        "figures": list(rows),
    }


SCENARIOS = {
    "feature_extraction": Scenario(20, feature_extraction),
    "mixed": Scenario(24, mixed),
    "heads": Scenario(100, heads),
    "memory": Scenario(4, memory),
}
