"""tlsearch as a side: the sweep file with the list of trials, and the command that runs it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from peers.process import Run, run
from peers.task import Setting
from peers.trials import DEPTHS, DROPOUTS, HEAD_RATES, RATES, Trial

FINE_TUNE = {"strategy": "fine_tune"}
_FIXED = ("backbone", "strategy", "augment")


def sweep(name: str, setting: Setting, trials: Sequence[Trial], use: str) -> dict[str, Any]:
    """A sweep file that tries these trials in this order and nothing else.

    Args:
        use: of the activation store: `auto`, `always` or `never`.
    """
    space = space_of(trials, setting)
    return {
        "version": 1,
        "name": name,
        "data": {"source": setting.photos, "views": setting.views},
        "budget": {"trials": len(trials)},
        "search": {
            "sampler": "random",
            "pruner": "none",
            "seed": setting.seed,
            "enqueue": [_searched(trial, space) for trial in trials],
        },
        "space": space,
        "train": {
            "epochs": setting.epochs,
            "head_epochs": setting.head_epochs,
            "batch_size": setting.batch_size,
            "early_stopping": None,
        },
        "execution": {"workers": 1},
        "store": {"use": use},
    }


def space_of(trials: Sequence[Trial], setting: Setting) -> dict[str, Any]:
    """The space that the trials were drawn from; what never differs is fixed."""
    choices = {name: sorted({getattr(trial, name) for trial in trials}) for name in _FIXED}
    space: dict[str, Any] = {
        **choices,
        "image_size": setting.image_size,
        "head_learning_rate": _float(HEAD_RATES, log=True),
        "dropout": _float(DROPOUTS),
    }
    if any(trial.strategy == "fine_tune" for trial in trials):
        low, high = DEPTHS[0], DEPTHS[-1]
        space["unfreeze"] = {"type": "int", "low": low, "high": high, "when": FINE_TUNE}
        space["learning_rate"] = {**_float(RATES, log=True), "when": FINE_TUNE}
    return space


def _float(limits: tuple[float, float], *, log: bool = False) -> dict[str, Any]:
    return {"type": "float", "low": limits[0], "high": limits[1], "log": log}


def _searched(trial: Trial, space: dict[str, Any]) -> dict[str, Any]:
    """Its parameters without those that the space fixes."""
    fixed = {name for name in _FIXED if len(space[name]) == 1}
    return {name: value for name, value in trial.parameters().items() if name not in fixed}


def run_sweep(file: Path, contents: dict[str, Any], home: Path, *, memory: bool = False) -> Run:
    """Write the sweep file and run it with `tlsearch run`, its state in `home`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    # JSON is YAML.
    file.write_text(json.dumps(contents, indent=1), encoding="utf-8")
    command = [sys.executable, "-m", "tlsearch", "run", str(file), "--json"]
    kept = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    return run(command, {**kept, "TLSEARCH_HOME": str(home)}, file.parent, memory=memory)
