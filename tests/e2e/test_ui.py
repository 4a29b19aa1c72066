"""The MLflow UI in a real browser: a sweep's trials and their metric are on the page."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "screenshot_ui.py"
OBJECTIVE = {"objective": {"metric": "val_accuracy", "direction": "maximize"}}
SPACE = {"tlsearch.space": '{"backbone": [], "strategy": [], "head_learning_rate": []}'}


@pytest.fixture
def browser():
    pytest.importorskip("selenium", reason="no selenium: pip install selenium")
    if not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        pytest.skip("no Chromium: apt-get install chromium chromium-driver")
    if shutil.which("chromedriver") is None:
        pytest.skip("no driver for Chromium: apt-get install chromium-driver")


def log_sweep(home, trials):
    from tlsearch.paths import Paths
    from tlsearch.tracking.location import TrackingStore
    from tlsearch.tracking.mlflow_tracker import MLflowTracker

    paths = Paths(home)
    store = TrackingStore(f"sqlite:///{paths.mlflow_db}", paths.artifacts.as_uri())
    tracker = MLflowTracker(store)
    parent = tracker.open_sweep("flowers", "flowers", None, OBJECTIVE, SPACE, None)
    for number in range(trials):
        log_trial(tracker, parent, number)
    tracker.finish_sweep(parent, {"best_val_accuracy": 0.9}, {})


def log_trial(tracker, parent, number):
    strategy = ("feature_extraction", "fine_tune")[number % 2]
    configuration = {"backbone": "MobileNetV2", "strategy": strategy}
    run = tracker.start_trial(parent, number, configuration | {"head_learning_rate": 1e-3}, {})
    accuracies = [0.9 - 0.01 * number - 0.3 * math.exp(-epoch) for epoch in range(1, 6)]
    for epoch, accuracy in enumerate(accuracies, start=1):
        tracker.log_epoch(run, epoch, {"val_accuracy": accuracy}, time.time())
    tracker.log_metrics(run, {"best_val_accuracy": max(accuracies)})
    tracker.finish_trial(run, "pruned" if number == 3 else "complete")


def take_picture(home, picture):
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
    command = [sys.executable, str(SCRIPT), str(home), str(picture)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, timeout=300
    )


@pytest.mark.slow
@pytest.mark.usefixtures("browser")
def test_the_page_shows_eight_trials_with_their_metric(tmp_path):
    from PIL import Image

    log_sweep(tmp_path / "home", trials=8)
    done = take_picture(tmp_path / "home", tmp_path / "ui.png")
    assert done.returncode == 0, done.stderr
    assert "8 trials with their metric" in done.stdout
    with Image.open(tmp_path / "ui.png") as picture:
        assert picture.width > 1500
        assert len(picture.convert("RGB").getcolors(2**20)) > 50


@pytest.mark.slow
@pytest.mark.usefixtures("browser")
def test_a_sweep_without_trials_makes_no_picture(tmp_path):
    log_sweep(tmp_path / "home", trials=0)
    done = take_picture(tmp_path / "home", tmp_path / "ui.png")
    assert done.returncode == 1
    assert "no experiment here has trials" in done.stderr
    assert not (tmp_path / "ui.png").exists()
