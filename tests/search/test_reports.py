"""A trial's report, drawn by a process of its own and owed until the tracker has it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tlsearch.config.configuration import Configuration
from tlsearch.config.schema import BackboneChoice
from tlsearch.data.dataset import prepare
from tlsearch.errors import NoResultError
from tlsearch.search.reports import TrialReports
from tlsearch.tracking.replay import marker
from tlsearch.training.trained import TrainedTrial

CONFIGURATION = Configuration(backbone=BackboneChoice(name="MobileNet"), image_size=32)


@pytest.fixture
def sweep(make_sweep):
    generated = {"photos_per_class": 12, "size": 32}
    split = {"train": 0.4, "validation": 0.4, "test": 0.2}
    data = {"source": "generated:flowers", "generated": generated, "split": split}
    return make_sweep(data=data)


@pytest.fixture
def reports(sweep, paths):
    dataset = prepare(sweep.data, paths, 32)
    folder = paths.sweep(sweep.name).trial(0)
    folder.mkdir(parents=True)
    photos, classes = len(dataset.splits["validation"]), len(dataset.classes)
    answers = np.full((photos, classes), 1 / classes, np.float32)
    np.savez(folder / "validation.npz", probabilities=answers)
    columns = {"epoch": [1, 2], "loss": [1.0, 0.5], "val_loss": [1.0, 0.6]}
    pd.DataFrame({**columns, "accuracy": [0.4, 0.8], "val_accuracy": [0.3, 0.7]}).to_csv(
        folder / "history.csv", index=False
    )
    made = TrialReports(sweep, paths, dataset, "mine")
    yield made
    made.close()


def test_a_report_is_owed_until_this_run_has_it(reports):
    assert reports.is_missing(0, None)
    folder = reports.write(0, CONFIGURATION)
    assert sum(path.suffix in (".png", ".jpg") for path in folder.iterdir()) == 4
    assert reports.is_missing(0, "run")
    marker(folder).write_text("run")
    assert not reports.is_missing(0, "run")
    assert not reports.is_missing(0, None)
    assert reports.is_missing(0, "another run")


def test_what_another_study_s_trial_has_left_is_not_reported(reports, paths):
    trained = TrainedTrial(paths.sweep("tiny").trial(0), "another")
    trained.write_result("", {})
    assert not reports.is_missing(0, "run")
    replace(trained, study="mine").write_result("", {})
    assert reports.is_missing(0, "run")


def test_a_trial_without_files_has_no_report(reports):
    assert not reports.is_missing(1, "run")
    with pytest.raises(NoResultError, match="report of trial 1") as caught:
        reports.write(1, CONFIGURATION)
    assert "FileNotFoundError" in caught.value.received
    assert reports.write(0, CONFIGURATION).is_dir()
