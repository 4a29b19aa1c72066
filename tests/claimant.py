"""A supervisor in name only: claims trials, reports, tells. Started as a process of its own.

`python claimant.py HOME STORAGE TRIALS SEED`, STORAGE "" for SQLite. Prints the numbers of the
trials that it told, and how many seconds it waited for its claims.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from optuna.trial import TrialState

from tlsearch.config.schema import Sweep
from tlsearch.paths import Paths
from tlsearch.search.study import SweepStudy


def make_sweep(storage: str, trials: int, **search) -> Sweep:
    """A sweep whose head learning rate has a value of its own in each of its enqueued trials."""
    given = [{"head_learning_rate": round(1e-4 * (1 + n / 10), 8)} for n in range(trials)]
    search = {"pruner": "none", "storage": storage or None, "enqueue": given, **search}
    return Sweep.model_validate(
        {
            "version": 1,
            "name": "shared",
            "data": {"source": "photos"},
            "space": {
                "backbone": ["MobileNet", "MobileNetV2"],
                "strategy": "feature_extraction",
                "head_learning_rate": {"type": "float", "low": 1e-5, "high": 1, "log": True},
                "augment": ["none", "light"],
            },
            "search": search,
            "budget": {"trials": trials},
        }
    )


def work(study: SweepStudy) -> list[tuple[int, float]]:
    """Claim until nothing is left, here or elsewhere; the trials told, and what claims took."""
    told = []
    while True:
        began = time.monotonic()
        trial = study.claim()
        if trial is None:
            if not study.elsewhere():
                return told
            time.sleep(0.1)
            continue
        told.append((trial.number, round(time.monotonic() - began, 4)))
        value = study.configure(trial).head_learning_rate
        study.report(trial, 1, value)
        study.tell(trial, TrialState.COMPLETE, value, {"best_value": value})


def main() -> None:
    home, storage, trials, enqueue = sys.argv[1:]
    search = {} if enqueue == "enqueue" else {"enqueue": []}
    sweep, paths = make_sweep(storage, int(trials), **search), Paths(Path(home))
    paths.create()
    with SweepStudy.open(sweep, paths) as study:
        study.enqueue(sweep.search.enqueue)
        print(json.dumps(work(study)))


if __name__ == "__main__":
    main()
