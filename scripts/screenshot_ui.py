"""A picture of MLflow's UI with the trials of a home: `screenshot_ui.py HOME OUT.png`.

Starts the server that `tlsearch ui` starts, opens the leaderboard of an experiment in headless
Chromium and saves what is on the page. Fails unless the page shows every trial with its metric.
Needs Chromium with its driver and `pip install selenium`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Experiment
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from tlsearch.errors import NoResultError, SetupError, TlsearchError
from tlsearch.paths import Paths
from tlsearch.tracking.connection import connect
from tlsearch.tracking.leaderboard import TAG, TRIALS_ONLY
from tlsearch.tracking.location import TrackingStore, resolve_uri
from tlsearch.tracking.ui import leaderboard_url, serving

SECONDS = 60
BROWSER = ("chromium", "chromium-browser", "google-chrome")
SWITCHES = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars")
VISIBLE_ROWS = 25
"""MLflow draws only the rows that fit into the window."""


@dataclass(frozen=True)
class Leaderboard:
    """An experiment and what its page has to show: run names and their metric, best first."""

    experiment_id: str
    metrics: dict[str, float]

    def missing(self, text: str) -> list[str]:
        """The names of the trials that the page's text lacks, or lacks the metric of."""
        return [
            name
            for name, value in self.metrics.items()
            if name not in text or _digits(value) not in text
        ]


def main() -> int:
    """Take the picture; 0 if it shows the trials, else the error's exit code."""
    arguments = _parse()
    try:
        store = resolve_uri(None, None, Paths(arguments.home.absolute()))
        board = find_leaderboard(connect(store), arguments.experiment)
        take_picture(store, board, arguments.picture)
    except TlsearchError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(f"{arguments.picture}: {len(board.metrics)} trials with their metric")
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("home", type=Path, help="a TLSEARCH_HOME in which a sweep has run")
    parser.add_argument("picture", type=Path, help="where the PNG goes")
    parser.add_argument("--experiment", help="its name; default: the newest with a leaderboard")
    return parser.parse_args()


def find_leaderboard(client: MlflowClient, name: str | None) -> Leaderboard:
    """The newest experiment of a sweep, or the one of that name, with its best trials."""
    for experiment in client.search_experiments(order_by=["creation_time DESC"]):
        if TAG in experiment.tags and name in (None, experiment.name):
            metrics = _read_metrics(client, experiment)
            if metrics:
                return Leaderboard(experiment.experiment_id, metrics)
    raise NoResultError("no experiment here has trials with a metric", received=name)


def _read_metrics(client: MlflowClient, experiment: Experiment) -> dict[str, float]:
    """The trials in the order of the page, as many as it draws."""
    view = json.loads(experiment.tags[TAG])
    order = f"{view['orderByKey']} {'ASC' if view['orderByAsc'] else 'DESC'}"
    runs = client.search_runs([experiment.experiment_id], TRIALS_ONLY, order_by=[order])
    metric = view["orderByKey"].removeprefix("metrics.").strip("`")
    measured = [run for run in runs[:VISIBLE_ROWS] if metric in run.data.metrics]
    return {run.info.run_name: run.data.metrics[metric] for run in measured}


def take_picture(store: TrackingStore, board: Leaderboard, picture: Path) -> None:
    """Open the leaderboard and save it once it shows every trial."""
    with serving(store, "127.0.0.1", _free_port()) as (_, address):
        browser = _open_browser(rows=len(board.metrics))
        try:
            _keep_the_assistant_away(browser, address)
            browser.get(leaderboard_url(address, board.experiment_id))
            _wait(lambda: board.missing(_text(browser)))
            picture.parent.mkdir(parents=True, exist_ok=True)
            browser.save_screenshot(str(picture))
        finally:
            browser.quit()


def _open_browser(rows: int) -> webdriver.Chrome:
    program = next(filter(None, map(shutil.which, BROWSER)), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        raise SetupError(
            "there is no Chromium with its driver here",
            received=f"{program}, {driver}",
            hint="apt-get install chromium chromium-driver",
        )
    options = webdriver.ChromeOptions()
    options.binary_location = program
    height = 560 + 34 * rows
    for switch in (*SWITCHES, f"--window-size=1900,{height}"):
        options.add_argument(switch)
    return webdriver.Chrome(options, Service(driver))


def _text(browser: webdriver.Chrome) -> str:
    return str(browser.execute_script("return document.body ? document.body.innerText : ''"))


def _digits(value: float) -> str:
    """As many digits as every way of writing the number has in common."""
    return str(value)[:6]


def _wait(missing: Callable[[], list[str]]) -> None:
    deadline = time.monotonic() + SECONDS
    while names := missing():
        if time.monotonic() > deadline:
            raise NoResultError(
                "the page does not show every trial with its metric",
                received=f"without {', '.join(names)}",
                hint="open it yourself: tlsearch ui",
            )
        time.sleep(0.5)


def _keep_the_assistant_away(browser: webdriver.Chrome, address: str) -> None:
    """MLflow's chat panel opens by itself on the first visit and covers a quarter of the page."""
    browser.get(f"{address}/health")
    mark = "localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true')"
    browser.execute_script(mark)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
