"""What a sweep logs, read back from a real MLflow store."""

from __future__ import annotations

import math
import time

import pytest

from tlsearch.tracking.mlflow_tracker import MLflowTracker
from tlsearch.tracking.tracker import (
    AT,
    STUDY,
    DatasetSummary,
    EntryRefused,
    EpochPoint,
    TrackedTrial,
)

CONFIGURATION = {"backbone": "MobileNetV2", "strategy": "fine_tune", "learning_rate": 1e-4}
COUNTS = {"train": {"daisy": 506, "roses": 512}, "validation": {"daisy": 63, "roses": 64}}
DATASET = DatasetSummary("flowers", "0f" * 18, "/photos/flowers", COUNTS)


def open_sweep(tracker, run_id=None, parameters=None, experiment="flowers"):
    given = {"budget": {"trials": 20}} if parameters is None else parameters
    return tracker.open_sweep("flowers", experiment, run_id, given, {"team": "green"}, DATASET)


@pytest.fixture
def parent(tracker):
    return open_sweep(tracker)


def children(client, parent):
    experiment = client.get_run(parent).info.experiment_id
    return client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent}'")


def test_a_sweep_is_a_running_parent(tracker, client, parent):
    run = client.get_run(parent)
    assert run.info.status == "RUNNING"
    assert run.info.run_name == "flowers"
    assert run.data.params == {"budget.trials": "20"}
    assert run.data.tags["team"] == "green"
    assert run.data.tags["version.keras"]
    experiment = client.get_experiment(run.info.experiment_id)
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    assert experiment.artifact_location.startswith(tracker.store.artifact_root)


def test_the_dataset_is_an_input(client, parent):
    (found,) = client.get_run(parent).inputs.dataset_inputs
    assert found.dataset.name == "flowers"
    assert DATASET.digest.startswith(found.dataset.digest)
    assert client.get_run(parent).data.tags["tlsearch.dataset"] == DATASET.digest
    assert '"train": 1018' in found.dataset.profile


def test_a_second_start_continues_the_run(tracker, client, parent):
    tracker.finish_sweep(parent, {}, {}, "interrupted")
    again = open_sweep(tracker, parent, {"budget": {"trials": 40}, "train": {"epochs": 9}})
    assert again == parent
    run = client.get_run(parent)
    assert run.info.status == "RUNNING"
    assert run.data.params == {"budget.trials": "20", "train.epochs": "9"}
    assert run.data.tags["tlsearch.changed.budget.trials"] == "40"
    assert len(run.inputs.dataset_inputs) == 1


@pytest.mark.parametrize("gone", ["deleted", "unknown"])
def test_a_run_that_is_gone_is_made_anew(tracker, client, gone):
    old = "0" * 32
    if gone == "deleted":
        old = open_sweep(tracker)
        client.delete_run(old)
    new = open_sweep(tracker, old)
    assert new != old
    assert client.get_run(new).info.status == "RUNNING"


def test_a_trial_is_a_child_with_its_configuration(tracker, client, parent):
    run_id = tracker.start_trial(parent, 7, CONFIGURATION, {"tlsearch.attempt": "1"})
    run = client.get_run(run_id)
    assert run.info.run_name == "007 MobileNetV2 fine_tune"
    assert run.data.tags["mlflow.parentRunId"] == parent
    assert run.data.params["learning_rate"] == "0.0001"
    assert tracker.start_trial(parent, 7, CONFIGURATION, {}) == run_id
    assert len(children(client, parent)) == 1


def test_a_run_that_another_process_makes_later_is_found(tracker, client, parent):
    """Two supervisors: what one has looked for in vain is asked for again."""
    other = MLflowTracker(tracker.store)
    for number in (0, 1):
        assert tracker.find_trial(parent, number) is None
    runs = [other.start_trial(parent, number, CONFIGURATION, {}) for number in (0, 1)]
    assert tracker.find_trial(parent, 0) == runs[0]
    assert tracker.start_trial(parent, 1, CONFIGURATION, {}) == runs[1]
    assert len(children(client, parent)) == 2


def test_an_epoch_is_a_step_of_every_metric(tracker, client, parent):
    run_id = tracker.start_trial(parent, 0, CONFIGURATION, {})
    moment = time.time()
    for epoch, accuracy in enumerate([0.5, 0.7, math.nan], start=1):
        metrics = {"val_accuracy": accuracy, "loss": 1 / epoch}
        tracker.log_epoch(run_id, epoch, metrics, moment + epoch)
        tracker.log_epoch(run_id, epoch, metrics, moment + epoch)
    history = client.get_metric_history(run_id, "val_accuracy")
    assert [point.step for point in history] == [1, 2, 3]
    assert [point.value for point in history[:2]] == [0.5, 0.7]
    assert math.isnan(history[2].value)
    assert history[0].timestamp == pytest.approx((moment + 1) * 1000, abs=1)


def test_epochs_that_are_trained_again_after_a_crash_are_there_once(tracker, client, parent):
    run_id = tracker.start_trial(parent, 7, CONFIGURATION, {})
    for epoch in (1, 2):
        tracker.log_epoch(run_id, epoch, {"loss": 1 / epoch}, time.time())
    restarted = MLflowTracker(tracker.store)
    assert restarted.start_trial(parent, 7, CONFIGURATION, {}) == run_id
    for epoch in (1, 2, 3):
        restarted.log_epoch(run_id, epoch, {"loss": 1 / epoch}, time.time())
    assert [point.step for point in client.get_metric_history(run_id, "loss")] == [1, 2, 3]


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("complete", "FINISHED"),
        ("pruned", "FINISHED"),
        ("failed", "FAILED"),
        ("interrupted", "KILLED"),
    ],
)
def test_a_trial_ends_in_its_state(tracker, client, parent, state, status):
    run_id = tracker.start_trial(parent, 1, CONFIGURATION, {})
    tracker.finish_trial(run_id, state, "out of memory")
    run = client.get_run(run_id)
    assert run.info.status == status
    assert run.data.tags["tlsearch.state"] == state
    assert run.data.tags["tlsearch.reason"] == "out of memory"


def test_the_trials_of_a_sweep_as_the_store_has_them(tracker, client, parent):
    other = tracker.start_trial(open_sweep(tracker), 0, CONFIGURATION, {})
    done, running = (tracker.start_trial(parent, n, CONFIGURATION, {}) for n in range(2))
    tracker.finish_trial(done, "pruned")
    assert tracker.trials(parent) == {
        0: TrackedTrial(done, "pruned", False),
        1: TrackedTrial(running, "running", True),
    }
    assert tracker.find_trial(parent, 1) == running != other
    assert tracker.find_trial(parent, 2) is None


def test_a_run_is_found_by_its_study(tracker, client):
    """As after a creation whose answer was lost, or by two that begin at once."""
    tags = {STUDY: "the one"}
    first = tracker.open_sweep("flowers", "studies", None, {}, tags, None)
    assert MLflowTracker(tracker.store).open_sweep("f", "studies", None, {}, tags, None) == first
    assert tracker.open_sweep("flowers", "studies", None, {}, {STUDY: "another"}, None) != first


def test_an_earlier_moment_does_not_override_a_later_one(tracker, client, parent):
    run_id = tracker.start_trial(parent, 3, CONFIGURATION, {AT: "5000"})
    tracker.finish_trial(run_id, "interrupted", "too late", tags={AT: "4000"})
    assert client.get_run(run_id).info.status == "RUNNING"
    tracker.finish_trial(run_id, "complete", tags={AT: "6000"})
    again = MLflowTracker(tracker.store)
    again.finish_trial(run_id, "interrupted", "too late", {"seconds": 1.0}, tags={AT: "5500"})
    assert again.start_trial(parent, 3, CONFIGURATION, {AT: "5600"}) == run_id
    run = client.get_run(run_id)
    assert (run.info.status, run.info.end_time) == ("FINISHED", 6000)
    assert "tlsearch.reason" not in run.data.tags
    assert run.data.metrics["seconds"] == 1.0


def test_more_epochs_than_one_call_carries(tracker, client, parent):
    run_id = tracker.start_trial(parent, 4, CONFIGURATION, {})
    metrics = {f"metric_{n}": 0.5 for n in range(6)}
    points = [EpochPoint(epoch, metrics, 1000.0 + epoch) for epoch in range(1, 201)]
    tracker.finish_trial(run_id, "complete", points=points)
    history = client.get_metric_history(run_id, "metric_5")
    assert [point.step for point in history] == list(range(1, 201))


def test_a_metric_of_the_whole_run_is_there_once(tracker, client, parent):
    run_id = tracker.start_trial(parent, 5, CONFIGURATION, {})
    for restarted in (tracker, MLflowTracker(tracker.store)):
        restarted.log_metrics(run_id, {"test_accuracy": 0.5})
        restarted.finish_trial(run_id, "complete", metrics={"seconds": 2.0})
    for name in ("test_accuracy", "seconds"):
        assert len(client.get_metric_history(run_id, name)) == 1


def test_more_parameters_than_one_call_carries(tracker, client, parent):
    many = {f"p{n}": "x" * 7000 if n == 0 else n for n in range(230)}
    run = client.get_run(tracker.start_trial(parent, 2, many, {}))
    assert len(run.data.params) == 230
    assert run.data.params["p0"].endswith("(cut: 7000 characters)")


def test_files_lie_below_the_home(tracker, client, parent, tmp_path):
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "per_class.csv").write_text("class\n")
    tracker.log_artifacts(parent, tmp_path / "report", "report")
    assert [file.path for file in client.list_artifacts(parent, "report")] == [
        "report/per_class.csv"
    ]


def test_the_end_of_a_sweep_carries_the_champions_metrics(tracker, client, parent):
    tracker.finish_sweep(parent, {"test_accuracy": 0.91}, {"tlsearch.champion": "7"})
    run = client.get_run(parent)
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {"test_accuracy": 0.91}
    assert run.data.tags["tlsearch.champion"] == "7"


def test_an_experiment_name_may_hold_anything(tracker, client, tmp_path):
    parent = open_sweep(tracker, experiment="my flowers / 2026")
    (tmp_path / "a.txt").write_text("a")
    tracker.log_artifacts(parent, tmp_path)
    assert [file.path for file in client.list_artifacts(parent)] == ["a.txt"]


def test_a_deleted_experiment_is_named(tracker, client):
    parent = open_sweep(tracker, experiment="gone")
    client.delete_experiment(client.get_run(parent).info.experiment_id)
    with pytest.raises(EntryRefused, match="deleted") as caught:
        open_sweep(tracker, experiment="gone")
    assert "mlflow experiments restore" in caught.value.hint


def test_an_unknown_run_is_a_tracking_error(tracker):
    with pytest.raises(EntryRefused, match="failed"):
        tracker.log_metrics("0" * 32, {"accuracy": 1.0})
