"""The ranking goes to the tracker once for each of the sweep's runs."""

from __future__ import annotations

import csv
import json
import shutil

import pytest
from tiny_tracker import ListTracker, TinyReports, make_recorder

from tlsearch.search.screened import ScreenedBackbone, ScreeningResult
from tlsearch.search.screening_report import ScreeningReport

ROW = ScreenedBackbone(
    backbone="MobileNet(alpha=0.5)",
    image_size=160,
    photos=300,
    accuracy=0.85,
    standard_error=0.02,
    published=None,
    estimate=0.85,
    kept=True,
    told_apart=False,
    below={"conv_pw_6_relu": 0.7},
    better_below=None,
    unfreeze=None,
    seconds=3.0,
)
RESULT = ScreeningResult((ROW,), (), 9.0)


@pytest.fixture
def track(make_sweep, tmp_path):
    """Tracks the ranking under a parent run, which the study knows or not; the tracker."""

    def run(parent, known=None):
        tracker = ListTracker(parent)
        shutil.rmtree(tmp_path / "spool", ignore_errors=True)
        recorder = make_recorder(tracker, make_sweep(), TinyReports(tmp_path), print)
        ScreeningReport(tmp_path).track(RESULT, recorder, known)
        recorder.close()
        return tracker

    return run


def test_metrics_tags_and_files_belong_to_the_sweep(track, tmp_path):
    tracker = track("parent")
    assert tracker.metrics["parent"] == {
        "screening_accuracy/MobileNet alpha 0.5": 0.85,
        "screening_seconds": 9.0,
    }
    tagged, logged = tracker.calls
    assert tagged == ("log_tags", "parent", {"tlsearch.screening": "MobileNet(alpha=0.5)"})
    assert logged == ("log_artifacts", "parent", tmp_path / "screening", "screening")
    stored = json.loads((tmp_path / "screening" / "screening.json").read_text())
    assert ScreeningResult.from_dict(stored) == RESULT
    with (tmp_path / "screening" / "screening.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["backbone"], row["accuracy"], row["kept"]) == (ROW.backbone, "0.85", "True")


def test_a_run_that_has_it_does_not_get_it_again_and_another_run_does(track):
    assert track("parent").metrics
    assert not track("parent", "parent").metrics
    assert track("other", "other").metrics
