"""A model that fails while it runs, as one does on a device that is full."""

from __future__ import annotations

from dataclasses import replace

import onnx
import pytest
from tiny_bundle import failing_model, golden_of, manifest, tiny_model

from serving.model import ModelOptions, ServedModel
from tlsearch.errors import BundleError, SetupError
from tlsearch.export.checksums import write_checksums
from tlsearch.export.golden import write_golden
from tlsearch.export.manifest import Variant

OPTIONS = ModelOptions(workers=1, largest_batch=32)


def load(folder, precision="fp32") -> ServedModel:
    return ServedModel.load("colours", "1", folder, replace(OPTIONS, precision=precision))


@pytest.fixture
def two_variants(tmp_path):
    """A bundle of an fp32 model that runs and an int8 model that does not."""
    folder = tmp_path / "variants"
    folder.mkdir()
    onnx.save(tiny_model(), folder / "model.onnx")
    onnx.save(failing_model(above=0), folder / "model.int8.onnx")
    golden = golden_of(folder)
    write_golden(folder, replace(golden, variants={"int8": golden.probabilities}))
    facts = {"size_bytes": 1, "max_difference": 0}
    variants = [
        Variant(file="model.int8.onnx", precision="int8", **facts),
        Variant(file="model.onnx", precision="fp32", **facts),
    ]
    manifest(variants=variants).write(folder)
    write_checksums(folder)
    return folder


def test_a_model_that_does_not_run_names_precision_provider_and_cause(make_bundle, tmp_path):
    folder = make_bundle(tmp_path / "b", model=failing_model(above=0))
    with pytest.raises(SetupError, match="fp32 model does not run on CPUExecutionProvider") as told:
        load(folder)
    assert not isinstance(told.value, BundleError)
    assert "out of data bounds" in told.value.received
    assert told.value.exit_code == 3


def test_a_variant_that_does_not_run_takes_no_other_with_it(two_variants, caplog):
    assert load(two_variants, "fastest").precision == "fp32"
    assert "the int8 model is left out: the int8 model does not run" in caplog.text
    with pytest.raises(SetupError, match="int8 model does not run"):
        load(two_variants, "int8")


def test_large_batches_that_fail_are_not_made(make_bundle, tmp_path):
    folder = make_bundle(tmp_path / "b", model=failing_model(above=4))
    model = load(folder)
    assert max(model.curve.seconds) <= 4
    assert model.batcher.plan.chunk <= 4
