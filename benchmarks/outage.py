"""A tracking server that stops in the midst of a sweep: does training wait, is anything lost?

    python benchmarks/outage.py [--seconds 120] [--trials 12] [--output FILE.json]

Starts an MLflow server, runs a sweep of one configuration on drawn flowers that tracks there,
stops the server (SIGSTOP: it keeps its port and answers nothing) after the second trial, and lets
it go on after so many seconds. Compares the seconds of epochs that ended meanwhile with those of
all others, and then asks the server for every epoch of every trial.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from peers.command import carry_out
from peers.machine import facts
from rich.console import Console

from tlsearch.errors import NoResultError

EPOCHS = 12


def main(arguments: Sequence[str] | None = None) -> int:
    return carry_out(parse(arguments), compare, show)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--output", type=Path, metavar="FILE.json")
    return parser.parse_args(arguments)


def sweep(uri: str, trials: int) -> dict[str, Any]:
    """One configuration, again and again."""
    return {
        "version": 1,
        "name": "outage",
        "data": {"source": "generated:flowers"},
        "budget": {"trials": trials},
        "search": {"sampler": "random", "pruner": "none"},
        "space": {
            "backbone": {"name": "ResNet10", "weights": "builtin"},
            "strategy": "from_scratch",
            "image_size": 64,
            "head_learning_rate": 1e-3,
        },
        "train": {"epochs": EPOCHS, "early_stopping": None},
        "execution": {"workers": 1},
        "tracking": {"uri": uri},
    }


def compare(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Run the sweep; all that was found, ready for JSON."""
    with (
        tempfile.TemporaryDirectory(prefix="tlsearch-benchmark-") as folder,
        _server(Path(folder)) as (server, uri),
    ):
        outage = Outage(server, options.seconds)
        epochs = _run(Path(folder), sweep(uri, options.trials), outage, console)
        told = _told(uri)
    meanwhile = [one["seconds"] for one in epochs if outage.covers(one["began"], one["ended"])]
    others = [one["seconds"] for one in epochs if outage.is_apart(one["began"], one["ended"])]
    wanted = {str(number): list(range(1, EPOCHS + 1)) for number in range(options.trials)}
    return {
        "schema": 1,
        "machine": facts(),
        "seconds": options.seconds,
        "epochs_meanwhile": len(meanwhile),
        "median_meanwhile": median(meanwhile),
        "epochs_else": len(others),
        "median_else": median(others),
        "nothing_missing_or_doubled": told == wanted,
    }


class Outage:
    """Stops a process once, for some seconds."""

    def __init__(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        self._process = process
        self._seconds = seconds
        self._begins = self._ends = 0.0

    def begin(self) -> None:
        self._begins = time.time()
        self._ends = self._begins + self._seconds
        os.killpg(self._process.pid, signal.SIGSTOP)
        threading.Timer(self._seconds, self._end).start()

    def covers(self, began: float, ended: float) -> bool:
        """Whether all of this time lay within it."""
        return self._begins <= began and ended <= self._ends

    def is_apart(self, began: float, ended: float) -> bool:
        """Whether none of it did."""
        return ended <= self._begins or began >= self._ends

    def _end(self) -> None:
        os.killpg(self._process.pid, signal.SIGCONT)


def _run(
    folder: Path, contents: dict[str, Any], outage: Outage, console: Console
) -> list[dict[str, float]]:
    """The epochs that are over; the first one of each trial is left out, as it is traced then."""
    file = folder / "sweep.yaml"
    file.write_text(json.dumps(contents), encoding="utf-8")
    command = [sys.executable, "-m", "tlsearch", "run", str(file), "--json"]
    environment = {**os.environ, "TLSEARCH_HOME": str(folder / "home")}
    epochs = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            said, now = json.loads(line), time.time()
            if said["event"] == "epoch" and said["epoch"] > 1:
                seconds = said["seconds"]
                epochs.append({"seconds": seconds, "began": now - seconds, "ended": now})
            if said["event"] == "trial_ended":
                console.print(f"trial {said['trial']} ended", highlight=False)
                if said["trial"] == 1:
                    outage.begin()
    if running.returncode:
        raise NoResultError("the sweep failed", received=f"exit status {running.returncode}")
    return epochs


def _told(uri: str) -> dict[str, list[int]]:
    """The steps that the server has, by trial."""
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("outage")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    return {
        run.data.tags["tlsearch.trial"]: sorted(
            point.step for point in client.get_metric_history(run.info.run_id, "val_loss")
        )
        for run in runs
        if "tlsearch.trial" in run.data.tags
    }


@contextmanager
def _server(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """An MLflow server that answers; its process, whose group it leads, and its address."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    uri = f"http://127.0.0.1:{port}"
    store = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--workers", "1"]
    where = ["--artifacts-destination", str(folder / "artifacts"), "--port", str(port)]
    command = [sys.executable, "-m", "mlflow", "server", *store, *where]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait_for(uri)
        yield process, uri
    finally:
        os.killpg(process.pid, signal.SIGCONT)
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _wait_for(uri: str) -> None:
    import httpx

    for _ in range(120):
        try:
            if httpx.get(f"{uri}/health", timeout=2).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    raise NoResultError("the MLflow server does not start", received=uri)


def show(findings: dict[str, Any], console: Console) -> None:
    """Print both medians, their ratio, and whether the server has everything once."""
    meanwhile, others = findings["median_meanwhile"], findings["median_else"]
    console.print(
        f"{findings['epochs_meanwhile']} epochs while the server was stopped: {meanwhile:.3f} s; "
        f"{findings['epochs_else']} others: {others:.3f} s; ratio {meanwhile / others:.3f}"
    )
    whole = "nothing" if findings["nothing_missing_or_doubled"] else "SOMETHING"
    console.print(f"afterwards {whole} was missing or doubled")


if __name__ == "__main__":
    sys.exit(main())
