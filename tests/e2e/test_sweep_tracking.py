"""The sweep as MLflow has it: parent, nested trials, metrics, data set, artifacts, champion."""

from __future__ import annotations

import json

import pytest

from serving import Bundle, Engine

TRIALS = range(4)


@pytest.fixture(scope="module")
def client(tiny_sweep):
    from tlsearch.tracking.connection import connect
    from tlsearch.tracking.location import resolve_uri

    return connect(resolve_uri(f"sqlite:///{tiny_sweep.paths.mlflow_db}", None, tiny_sweep.paths))


@pytest.fixture(scope="module")
def experiment(client):
    return client.get_experiment_by_name("tiny")


@pytest.fixture(scope="module")
def runs(client, experiment):
    """The parent run, and the trials' by number."""
    found = client.search_runs([experiment.experiment_id], max_results=100)
    (parent,) = [run for run in found if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in found if "mlflow.parentRunId" in run.data.tags]
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    return parent, {int(run.data.tags["tlsearch.trial"]): run for run in children}


@pytest.fixture(scope="module")
def champion(tiny_sweep):
    return tiny_sweep.of_kind("champion")[0]["trial"]


def test_a_parent_and_a_nested_run_for_each_trial(runs):
    parent, trials = runs
    assert sorted(trials) == list(TRIALS)
    assert parent.info.status == "FINISHED"
    assert {run.info.status for run in trials.values()} == {"FINISHED"}
    assert {run.data.tags["tlsearch.state"] for run in trials.values()} == {"complete"}


def test_the_ui_opens_on_models_not_on_chats(experiment):
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"


def test_every_parameter_of_every_trial_is_logged(tiny_sweep, runs):
    for event in tiny_sweep.of_kind("trial_started"):
        logged = runs[1][event["trial"]].data.params
        for name, value in event["configuration"].items():
            assert logged[name] == str(value)
        assert logged["train.epochs"] == "3"
        assert logged["train.optimizer"] == "adam"


def _assert_each_epoch_once(tiny_sweep, client, number, run):
    told = [event for event in tiny_sweep.of_kind("epoch") if event["trial"] == number]
    for metric in ("loss", "accuracy", "val_loss", "val_accuracy"):
        history = client.get_metric_history(run.info.run_id, metric)
        points = sorted((point.step, point.value) for point in history)
        assert points == [(event["epoch"], event["metrics"][metric]) for event in told]
    assert len(client.get_metric_history(run.info.run_id, "epoch_seconds")) == 3


def test_every_epoch_of_every_metric_is_logged_once(tiny_sweep, client, runs, champion):
    for number, run in runs[1].items():
        if number != champion:
            _assert_each_epoch_once(tiny_sweep, client, number, run)


def test_registering_adds_no_epoch_to_the_champion(tiny_sweep, client, runs, champion):
    _assert_each_epoch_once(tiny_sweep, client, champion, runs[1][champion])


def test_what_a_trial_reached_and_cost(tiny_sweep, runs):
    for event in tiny_sweep.of_kind("trial_ended"):
        metrics = runs[1][event["trial"]].data.metrics
        assert metrics["best_val_accuracy"] == event["value"]
        assert metrics["trainable_parameters"] == event["trainable_parameters"]
        assert 0 < metrics["trainable_parameters"] <= metrics["total_parameters"]
        assert metrics["photos_per_second"] > 0
        assert metrics["seconds"] > 0


def test_the_data_set_is_an_input_with_its_digest(tiny_sweep, runs):
    (entry,) = runs[0].inputs.dataset_inputs
    digest = tiny_sweep.study.user_attrs["tlsearch.dataset"]
    assert digest.startswith(entry.dataset.digest)
    assert runs[0].data.tags["tlsearch.dataset"] == digest
    profile = json.loads(entry.dataset.profile)
    assert profile["classes"] == 5
    assert profile["photos"] == tiny_sweep.of_kind("data_ready")[0]["photos"]


def test_the_versions_are_tags(runs):
    tags = runs[0].data.tags
    for library in ("tlsearch", "keras", "tensorflow", "optuna", "mlflow"):
        assert tags[f"version.{library}"]


def test_every_trial_has_its_pictures_and_tables(client, runs):
    for run in runs[1].values():
        names = _files(client, run.info.run_id)
        assert any(name.endswith(".png") for name in names)
        assert any(name.endswith((".csv", ".json")) for name in names)


def test_the_champion_s_run_has_the_bundle_and_the_test_metrics(
    tiny_sweep, client, runs, champion, tmp_path
):
    run = runs[1][champion]
    folder = client.download_artifacts(run.info.run_id, "bundle", str(tmp_path))
    Engine(Bundle.open(folder)).replay_golden()
    expected = tiny_sweep.bundle.manifest.metrics.test.accuracy
    assert run.data.metrics["test_accuracy"] == pytest.approx(expected)
    assert runs[0].data.metrics["test_accuracy"] == pytest.approx(expected)
    assert runs[0].data.tags["tlsearch.champion"] == run.info.run_id


def test_no_other_run_knows_of_the_test_split(runs, champion):
    for number, run in runs[1].items():
        if number != champion:
            assert not any("test" in name for name in run.data.metrics)


def test_the_champion_is_registered_under_its_alias(client, runs, champion):
    version = client.get_model_version_by_alias("tiny-flowers", "champion")
    assert version.run_id == runs[1][champion].info.run_id
    assert str(version.version) == "1"
    assert version.tags["tlsearch.sweep"] == "tiny"


def _files(client, run_id, folder=None):
    found = []
    for item in client.list_artifacts(run_id, folder):
        found += _files(client, run_id, item.path) if item.is_dir else [item.path]
    return found
