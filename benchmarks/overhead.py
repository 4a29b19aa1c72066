"""What a trial costs besides its training: Optuna, MLflow, reports and the supervisor itself.

    python benchmarks/overhead.py [--trials 100] [--epochs 10] [--json]

Runs a real sweep (supervisor, worker process, study and tracking on SQLite, reports) with jobs
that train nothing, see `trivial_job`. Figures are seconds a trial: `wall` from the first trial to
the last artifact, `wall_search` to the end of the last trial, `processor` of the supervisor's
process, of which `optuna`, `mlflow` and `rest` are parts; `reports` is processor time of the
process that draws. Imports and the first contact with MLflow come before the clock starts.
"""

from __future__ import annotations

import argparse
import inspect
import json
import os
import resource
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from optuna.trial import Trial
from trivial_job import TrivialJob

from tlsearch.config.configuration import Configuration
from tlsearch.config.schema import Sweep
from tlsearch.data.dataset import Dataset, prepare
from tlsearch.execution.local.executor import LocalExecutor
from tlsearch.execution.notices import ignore
from tlsearch.execution.signals import StopRequest
from tlsearch.paths import Paths
from tlsearch.search.recorder import Recorder
from tlsearch.search.reports import TrialReports
from tlsearch.search.study import SweepStudy
from tlsearch.search.supervisor import Supervisor
from tlsearch.search.tracking_listener import SweepListener
from tlsearch.tracking.location import resolve_uri
from tlsearch.tracking.mlflow_tracker import MLflowTracker
from tlsearch.tracking.records import SweepOpened
from tlsearch.tracking.replayer import Replayer
from tlsearch.tracking.spool import Spool
from tlsearch.training.trained import TrainedTrial

PARTS: dict[str, tuple[type, ...]] = {
    "optuna": (SweepStudy, Trial),
    "mlflow": (MLflowTracker,),
}
SIZE = 160


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(make_sweep(arguments.trials, arguments.epochs), Paths(Path(folder)))
    if arguments.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:24} {value:10.4f}")


def make_sweep(trials: int, epochs: int) -> Sweep:
    """A head-only sweep with 360 validation photos in five classes, as flowers have."""
    rate = {"type": "float", "low": 1e-4, "high": 1e-2, "log": True}
    space = {
        "backbone": ["MobileNet", "MobileNetV2"],
        "image_size": SIZE,
        "head_learning_rate": rate,
        "dropout": {"type": "float", "low": 0.0, "high": 0.5},
        "hidden_units": [0, 64, 128],
    }
    return Sweep.model_validate(
        {
            "version": 1,
            "name": "overhead",
            "data": {
                "source": "generated:flowers",
                "split": {"train": 0.3, "validation": 0.6, "test": 0.1},
            },
            "budget": {"trials": trials},
            "space": space,
            "train": {"epochs": epochs},
            "search": {"pruner": "none"},
            "execution": {"workers": 1},
        }
    )


def measure(sweep: Sweep, paths: Paths) -> dict[str, float]:
    """Seconds a trial, in all and by part, and how much the process has grown, in MB."""
    paths.create()
    dataset = prepare(sweep.data, paths, SIZE)
    clock = _Clock()
    study = SweepStudy.open(sweep, paths)
    tracker = MLflowTracker(resolve_uri(None, None, paths))
    reports = TrialReports(sweep, paths, dataset)
    folder = paths.sweep(sweep.name)
    spool = Spool(
        folder.spool / "me.jsonl", SweepOpened(name="overhead", experiment="o", study="1")
    )
    replayer = Replayer(
        spool,
        str(tracker.store),
        lambda: tracker,
        folder.folder,
        SweepListener(lambda _, number, run: study.note_run(number, run), ignore),
        lambda *_: None,
    )
    replayer.start()
    recorder = Recorder(spool, replayer, sweep, reports, folder.folder, ignore)
    recorder.drain()
    executor = _executor(paths)
    make_job = _job_maker(sweep, paths, dataset)
    supervisor = Supervisor(sweep, study, executor, make_job, recorder, ignore)
    children = _children()
    before, wall, processor = _resident(), time.perf_counter(), time.process_time()
    clock.seconds.clear()
    supervisor.search(StopRequest())
    searched = time.perf_counter() - wall
    recorder.close()
    found = {"wall": time.perf_counter() - wall, "wall_search": searched}
    found["processor"] = time.process_time() - processor
    found |= clock.seconds
    found["rest"] = found["processor"] - sum(clock.seconds.values())
    # The worker is not over yet, so this is what drawing took in its process.
    found["reports"] = _children() - children
    executor.close()
    each = {f"{name}_s": seconds / sweep.budget.trials for name, seconds in found.items()}
    return each | {"grown_mb": _resident() - before, "peak_mb": _peak()}


def _executor(paths: Paths) -> LocalExecutor:
    places = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, places))}
    return LocalExecutor(1, paths.home / "logs", environment)


def _job_maker(
    sweep: Sweep, paths: Paths, dataset: Dataset
) -> Callable[[int, Configuration, int], TrivialJob]:
    photos, classes = len(dataset.splits["validation"]), len(dataset.classes)

    def make(number: int, _: Configuration, __: int) -> TrivialJob:
        trained = TrainedTrial(paths.sweep(sweep.name).trial(number))
        return TrivialJob(number, sweep.train.epochs, photos, classes, trained)

    return make


class _Clock:
    """Processor time spent in the public methods of each part, on whatever thread."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._thread = threading.local()
        for part, owners in PARTS.items():
            for owner in owners:
                for name, method in list(vars(owner).items()):
                    if inspect.isfunction(method) and not name.startswith("_"):
                        setattr(owner, name, self._timed(part, method))

    def _timed(self, part: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if getattr(self._thread, "busy", False):
                return method(*arguments, **named)
            self._thread.busy, start = True, time.thread_time()
            try:
                return method(*arguments, **named)
            finally:
                self._thread.busy = False
                self.seconds[part] += time.thread_time() - start

        return call


def _children() -> float:
    """Processor time of this process' children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _peak() -> float:
    scale = 1e6 if sys.platform == "darwin" else 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


if __name__ == "__main__":
    main()
