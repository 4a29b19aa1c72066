from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from tlsearch.data.photo import RESIZE_RULE
from tlsearch.errors import BundleError
from tlsearch.export.manifest import Manifest, Metrics, Run, Score, Variant

SCORE = Score(photos=367, accuracy=0.9, others={"macro_f1": 0.89})
MANIFEST = Manifest(
    name="flowers",
    labels=["daisy", "rose"],
    image_size=160,
    resize=RESIZE_RULE,
    backbone="MobileNetV2",
    strategy="fine_tune",
    parameters={"unfreeze": 2, "learning_rate": 1e-4, "hidden_units": None},
    metrics=Metrics(validation=SCORE, test=SCORE),
    variants=[Variant(file="model.onnx", precision="fp32", size_bytes=9, max_difference=1e-6)],
    run=Run(sweep="flowers", trial=7, dataset="ab" * 32),
    versions={"keras": "3.15.1"},
    created=datetime(2026, 1, 2, tzinfo=UTC),
)


def test_what_is_written_is_read(tmp_path):
    MANIFEST.write(tmp_path)
    assert Manifest.read(tmp_path) == MANIFEST
    assert json.loads((tmp_path / "bundle.json").read_text())["schema_version"] == 1


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [
        ("labels", ["daisy", "daisy"], "two labels are the same"),
        ("labels", ["daisy"], "labels"),
        ("schema_version", 2, "schema_version"),
        ("image_size", 0, "image_size"),
        ("created", "2026-01-02T00:00:00", "timezone"),
        ("variants", [], "variants"),
    ],
)
def test_a_wrong_value_is_named(tmp_path, key, value, what):
    values = json.loads(MANIFEST.write(tmp_path).read_text())
    (tmp_path / "bundle.json").write_text(json.dumps({**values, key: value}))
    with pytest.raises(BundleError, match=what):
        Manifest.read(tmp_path)


@pytest.mark.parametrize("file", ["../model.onnx", "/model.onnx", "a\\b.onnx", "", ".."])
def test_a_variant_lies_in_the_bundle(tmp_path, file):
    values = json.loads(MANIFEST.write(tmp_path).read_text())
    values["variants"][0]["file"] = file
    (tmp_path / "bundle.json").write_text(json.dumps(values))
    with pytest.raises(BundleError, match="plain name"):
        Manifest.read(tmp_path)


def test_keys_of_a_later_version_are_let_through(tmp_path):
    values = json.loads(MANIFEST.write(tmp_path).read_text())
    (tmp_path / "bundle.json").write_text(json.dumps({**values, "a_later_key": 1.2}))
    assert Manifest.read(tmp_path) == MANIFEST


def test_no_json_and_no_file(tmp_path):
    with pytest.raises(BundleError, match="is not a bundle"):
        Manifest.read(tmp_path)
    (tmp_path / "bundle.json").write_text("{")
    with pytest.raises(BundleError, match="Invalid JSON"):
        Manifest.read(tmp_path)


def test_a_bundle_from_before_there_were_variants_is_read(tmp_path):
    values = json.loads(MANIFEST.write(tmp_path).read_text())
    for key in ("calibration", "left_out", "max_accuracy_loss"):
        del values[key]
    for key in ("accuracy_test", "accuracy_loss", "speedup", "provider", "recipe", "tolerance"):
        del values["variants"][0][key]
    (tmp_path / "bundle.json").write_text(json.dumps(values))
    assert Manifest.read(tmp_path) == MANIFEST
    assert Manifest.read(tmp_path).variants[0].tolerance == 1e-3
