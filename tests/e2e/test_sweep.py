"""A sweep from its file to its bundle: what the command says and what it leaves on the disk."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pandas as pd
import pytest
from optuna.trial import TrialState

from serving import Engine
from tlsearch.data.dataset import prepare
from tlsearch.training.trained import TrainedTrial
from tlsearch.training.weights import count

TRIALS = range(4)


def test_it_succeeds(tiny_sweep):
    assert tiny_sweep.process.returncode == 0, tiny_sweep.process.stderr


def test_every_line_on_stdout_is_an_event(tiny_sweep):
    assert all(event["schema"] == 1 for event in tiny_sweep.events)
    kinds = [event["event"] for event in tiny_sweep.events]
    assert kinds[0] == "sweep_opened"
    assert kinds.index("data_ready") < kinds.index("trial_started") < kinds.index("epoch")
    ends = ["champion", "exporting", "exported", "registered"]
    assert [kind for kind in kinds if kind in ends] == ends
    assert "warning" not in kinds


def test_every_trial_and_every_epoch_is_told_once(tiny_sweep):
    for kind in ("trial_started", "network_built", "trial_ended"):
        assert [event["trial"] for event in tiny_sweep.of_kind(kind)] == list(TRIALS)
    epochs = [(event["trial"], event["epoch"]) for event in tiny_sweep.of_kind("epoch")]
    assert epochs == [(trial, epoch) for trial in TRIALS for epoch in (1, 2, 3)]


def test_the_study_has_every_trial_with_its_epochs(tiny_sweep):
    trials = tiny_sweep.study.get_trials()
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 4
    for trial in trials:
        told = [e for e in tiny_sweep.of_kind("epoch") if e["trial"] == trial.number]
        values = {e["epoch"]: e["metrics"]["val_accuracy"] for e in told}
        assert trial.intermediate_values == values
        assert trial.value == max(values.values())


def test_both_strategies_were_tried(tiny_sweep):
    """Otherwise the tests here look at less than they should: choose another search.seed."""
    strategies = {
        event["configuration"]["strategy"] for event in tiny_sweep.of_kind("trial_started")
    }
    assert strategies == {"feature_extraction", "fine_tune"}


def test_the_champion_is_the_best_on_validation(tiny_sweep):
    (told,) = tiny_sweep.of_kind("champion")
    values = [trial.value for trial in tiny_sweep.study.get_trials()]
    assert told["value"] == max(values)
    assert values[told["trial"]] == max(values)
    assert tiny_sweep.bundle.manifest.run.trial == told["trial"]


@pytest.mark.parametrize("number", TRIALS)
def test_every_trial_lies_whole_on_disk(tiny_sweep, number):
    trained = TrainedTrial(tiny_sweep.paths.sweep("tiny").trial(number))
    assert trained.is_whole
    backbone = tiny_sweep.file.with_name("tiny.keras").read_bytes()
    weights = trained.weights(sha256(backbone).hexdigest())
    assert "classifier" in weights
    if tiny_sweep.of_kind("trial_started")[number]["configuration"]["strategy"] != "fine_tune":
        (built,) = [e for e in tiny_sweep.of_kind("network_built") if e["trial"] == number]
        assert count(weights) == built["trainable_parameters"]
    assert trained.history()["epoch"].tolist() == [1, 2, 3]
    probabilities = trained.validation()
    photos = tiny_sweep.of_kind("data_ready")[0]["photos"]["validation"]
    assert probabilities.shape == (photos, 5)
    assert probabilities.sum(axis=1) == pytest.approx([1] * photos, abs=1e-5)


def test_the_bundle_opens_and_gives_its_golden_answers(tiny_sweep):
    bundle = tiny_sweep.bundle
    assert bundle.labels == ["daisy", "dandelion", "rose", "sunflower", "tulip"]
    assert Engine(bundle).replay_golden() < 1e-4


def test_the_bundle_knows_where_it_came_from(tiny_sweep):
    manifest = tiny_sweep.bundle.manifest
    champion = tiny_sweep.of_kind("champion")[0]
    assert manifest.run.sweep == "tiny"
    assert manifest.run.dataset == tiny_sweep.study.user_attrs["tlsearch.dataset"]
    assert manifest.run.mlflow_run
    assert manifest.strategy == champion["strategy"]
    assert manifest.parameters["head_learning_rate"] == champion["head_learning_rate"]
    assert {"tlsearch", "keras", "tensorflow", "onnx"} <= manifest.versions.keys()
    assert manifest.variants[0].max_difference <= tiny_sweep.sweep.export.tolerance
    assert manifest.variants[0].size_bytes == tiny_sweep.bundle.model().stat().st_size


def test_the_bundle_classifies_validation_as_the_trial_did(tiny_sweep):
    sweep, paths = tiny_sweep.sweep, tiny_sweep.paths
    dataset = prepare(sweep.data, paths, 32)
    rows = dataset.splits["validation"]
    photos = [Path(dataset.paths[row]) for row in rows]
    answers = list(Engine(tiny_sweep.bundle).classify(photos))
    right = [
        answer.label == dataset.classes[dataset.labels[row]]
        for answer, row in zip(answers, rows, strict=True)
    ]
    share = sum(right) / len(right)
    assert share == pytest.approx(tiny_sweep.bundle.manifest.metrics.validation.accuracy)
    assert share == pytest.approx(tiny_sweep.of_kind("champion")[0]["value"])


def test_the_card_has_the_figures(tiny_sweep):
    manifest = tiny_sweep.bundle.manifest
    card = (tiny_sweep.bundle.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert f"{manifest.metrics.test.accuracy:.4f}" in card
    assert f"{manifest.metrics.validation.accuracy:.4f}" in card
    assert f"| {manifest.metrics.test.photos} |" in card
    assert all(label in card for label in manifest.labels)
    assert "read once, after the choice" in card


def test_the_test_split_is_told_of_the_champion_alone(tiny_sweep):
    (exported,) = tiny_sweep.of_kind("exported")
    assert not tiny_sweep.of_kind("judging")
    photos = tiny_sweep.of_kind("data_ready")[0]["photos"]["test"]
    assert tiny_sweep.bundle.manifest.metrics.test.photos == photos
    assert exported["test"]["accuracy"] == tiny_sweep.bundle.manifest.metrics.test.accuracy
    history = pd.concat(
        TrainedTrial(tiny_sweep.paths.sweep("tiny").trial(number)).history() for number in TRIALS
    )
    assert not any("test" in column for column in history.columns)


def test_the_sweep_file_lies_beside_its_results(tiny_sweep):
    from tlsearch.config.loading import load

    assert load(tiny_sweep.folder / "resolved.yaml") == tiny_sweep.sweep


def test_nothing_half_written_is_left(tiny_sweep):
    names = [path.name for path in tiny_sweep.home.rglob("*")]
    assert not [name for name in names if "writing" in name or name.startswith("bundle-")]
