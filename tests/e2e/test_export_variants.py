"""`tlsearch export` of a finished sweep that asks for more than its bundle holds."""

from __future__ import annotations

import json

import numpy as np
import pytest

from serving import Bundle, Engine


@pytest.fixture(scope="module")
def exported(tiny_sweep, tmp_path_factory):
    folder = tmp_path_factory.mktemp("variants")
    done = tiny_sweep.command(
        "export",
        "export.variants=[fp32, fp16, int8]",
        "export.max_accuracy_loss=0.9",
        "--json",
        "--output",
        folder / "bundle",
        "--triton",
        folder / "models",
    )
    assert done.returncode == 0, done.stderr
    return folder, [json.loads(line) for line in done.stdout.splitlines()]


def test_every_precision_is_in_the_bundle_or_left_out_with_a_reason(exported):
    folder, events = exported
    manifest = Bundle.open(folder / "bundle").manifest
    kept = {variant.precision for variant in manifest.variants}
    left = {one.precision: one.reason for one in manifest.left_out}
    assert "fp32" in kept
    assert kept | left.keys() == {"fp32", "fp16", "int8"}
    assert not kept & left.keys()
    assert all("not faster here" in reason for reason in left.values())
    [told] = [event for event in events if event["event"] == "exported"]
    assert {one["precision"]: one["reason"] for one in told["left_out"]} == left
    for variant in manifest.variants[1:]:
        assert variant.speedup >= 1.05
        assert 0 <= variant.accuracy_test <= 1


def test_golden_samples_of_every_precision_can_be_replayed(exported):
    bundle = Bundle.open(exported[0] / "bundle")
    golden = bundle.golden()
    for variant in bundle.manifest.variants:
        given = Engine(bundle, precision=variant.precision).predict(golden.images)
        difference = np.abs(given - golden.expected(variant.precision)).max()
        assert difference <= variant.tolerance


def test_the_figures_of_the_champion_stay(tiny_sweep, exported):
    manifest = Bundle.open(exported[0] / "bundle").manifest
    assert manifest.metrics.test.accuracy == tiny_sweep.bundle.manifest.metrics.test.accuracy
    assert manifest.run == tiny_sweep.bundle.manifest.run
    assert manifest.calibration.temperature == pytest.approx(
        tiny_sweep.bundle.manifest.calibration.temperature, rel=1e-3
    )


def test_the_triton_repository_holds_the_same_model(exported):
    folder, _ = exported
    bundle = Bundle.open(folder / "bundle")
    [model] = (folder / "models").iterdir()
    assert (model / "1" / "model.onnx").read_bytes() == bundle.model().read_bytes()
    assert (model / "labels.txt").read_text().split() == bundle.labels
    assert f'name: "{model.name}"' in (model / "config.pbtxt").read_text()
