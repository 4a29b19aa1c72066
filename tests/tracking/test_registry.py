"""The registered champion, loaded back the way a user of MLflow loads it."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np
import onnx
import pytest
from mlflow.utils.file_utils import local_file_uri_to_path
from onnx import TensorProto, helper, numpy_helper

from tlsearch.errors import BundleError
from tlsearch.export.checksums import verify_checksums, write_checksums
from tlsearch.export.golden import Golden, read_golden, write_golden
from tlsearch.tracking import registry
from tlsearch.tracking.registry import read_signature
from tlsearch.tracking.tracker import TrackingError

SIZE, CLASSES = 8, 3
FILES = {"model.onnx", "bundle.json", "golden.npz", "SHA256SUMS"}


def make_model(seed=0):
    """Photos to probabilities: the mean colour through one layer and a softmax."""
    weights = np.random.default_rng(seed).normal(size=(3, CLASSES)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["images"], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["wide"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"]),
    ]
    photos = ["batch", SIZE, SIZE, 3]
    graph = helper.make_graph(
        nodes,
        "flowers",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, photos)],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", CLASSES])],
        [numpy_helper.from_array(weights, "weights")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture
def bundle(tmp_path):
    folder = tmp_path / "bundle"
    folder.mkdir()
    write_bundle(folder)
    return folder


def write_bundle(folder, seed=0):
    onnx.save(make_model(seed), folder / "model.onnx")
    (folder / "bundle.json").write_text("{}")
    photos = np.random.default_rng(1).integers(0, 255, (2, SIZE, SIZE, 3), dtype=np.uint8)
    write_golden(folder, Golden(photos, np.full((2, CLASSES), 1 / CLASSES, np.float32)))
    write_checksums(folder)


@pytest.fixture
def trial(tracker):
    parent = tracker.open_sweep("flowers", "registry", None, {}, {}, None)
    run_id = tracker.start_trial(parent, 3, {"backbone": "MobileNetV2"}, {})
    tracker.log_metrics(run_id, {"val_accuracy": 0.9})
    return run_id


def model_id_of(client, name, version):
    return client.get_model_version(name, version).source.removeprefix("models:/")


def test_the_signature_is_the_models():
    signature = read_signature(make_model())
    (images,) = signature.inputs.inputs
    (probabilities,) = signature.outputs.inputs
    assert (images.type, images.shape) == (np.dtype("uint8"), (-1, SIZE, SIZE, 3))
    assert (probabilities.type, probabilities.shape) == (np.dtype("float32"), (-1, CLASSES))
    assert (images.name, probabilities.name) == ("images", "probabilities")


def test_the_champion_can_be_loaded_and_asked(tracker, client, trial, bundle, monkeypatch):
    version = tracker.register(trial, bundle, "flowers", {"tlsearch.sweep": "flowers"})
    found = client.get_model_version_by_alias("flowers", "champion")
    assert (str(found.version), found.run_id) == (version, trial)
    assert found.tags["tlsearch.sweep"] == "flowers"

    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracker.store.uri)
    loaded = mlflow.pyfunc.load_model("models:/flowers@champion")
    photos = np.random.default_rng(1).integers(0, 255, (2, SIZE, SIZE, 3), dtype=np.uint8)
    answer = loaded.predict(photos)["probabilities"]
    assert answer.shape == (2, CLASSES)
    assert answer.sum(1) == pytest.approx(1, abs=1e-5)
    assert loaded.metadata.signature == read_signature(make_model())


def test_the_bundle_and_the_model_belong_to_the_trial(tracker, client, trial, bundle):
    version = tracker.register(trial, bundle, "owned", {})
    files = {file.path for file in client.list_artifacts(trial, "bundle")}
    assert files == {f"bundle/{name}" for name in FILES}
    model = client.get_logged_model(model_id_of(client, "owned", version))
    assert model.status == "READY"
    assert model.params["backbone"] == "MobileNetV2"
    assert {metric.key: metric.value for metric in model.metrics} == {"val_accuracy": 0.9}


def test_the_same_model_keeps_its_version(tracker, client, trial, bundle):
    first = tracker.register(trial, bundle, "twice", {})
    assert tracker.register(trial, bundle, "twice", {}) == first
    write_bundle(bundle, seed=1)
    second = tracker.register(trial, bundle, "twice", {})
    assert (first, second) == ("1", "2")
    assert str(client.get_model_version_by_alias("twice", "champion").version) == "2"


@pytest.mark.parametrize("step", ["_upload", "_copy_metrics", "_create_version"])
def test_a_registration_that_was_cut_short_leaves_no_second_model(
    tracker, client, trial, bundle, monkeypatch, step
):
    def fail(*arguments):
        raise ConnectionResetError("cut short")

    with monkeypatch.context() as patch:
        patch.setattr(registry, step, fail)
        with pytest.raises(TrackingError, match="failed"):
            tracker.register(trial, bundle, "cut", {})
    version = tracker.register(trial, bundle, "cut", {})
    experiment = client.get_run(trial).info.experiment_id
    (model,) = client.search_logged_models([experiment], f"source_run_id = '{trial}'")
    assert model.model_id == model_id_of(client, "cut", version)
    assert model.status == "READY"
    assert {metric.key: metric.value for metric in model.metrics} == {"val_accuracy": 0.9}


def test_the_requirements_are_those_of_the_model_alone(tracker, client, trial, bundle):
    version = tracker.register(trial, bundle, "required", {})
    model = client.get_logged_model(model_id_of(client, "required", version))
    folder = Path(local_file_uri_to_path(model.artifact_location))
    lines = (folder / "requirements.txt").read_text().split()
    assert {line.split("==")[0] for line in lines} in (
        {"mlflow", "numpy", "onnx", "onnxruntime"},
        {"mlflow", "numpy", "onnx", "onnxruntime-gpu"},
    )
    assert (folder / "model.onnx").is_file()


def test_a_folder_that_holds_something_else_is_no_bundle(tracker, trial, tmp_path):
    with pytest.raises(BundleError, match="is not a bundle"):
        tracker.register(trial, tmp_path, "flowers", {})


def test_a_damaged_bundle_is_not_registered(tracker, client, trial, bundle):
    (bundle / "bundle.json").write_text("{ }")
    with pytest.raises(BundleError, match="changed files"):
        tracker.register(trial, bundle, "damaged", {})
    assert not client.search_model_versions("name = 'damaged'")


def test_a_version_holds_its_whole_bundle(tracker, client, trial, bundle):
    """Also when the alias points to another one, and the sweep's own folder has changed."""
    first = tracker.register(trial, bundle, "whole", {})
    before = (bundle / "SHA256SUMS").read_bytes()
    write_bundle(bundle, seed=1)
    tracker.register(trial, bundle, "whole", {})
    model_id = model_id_of(client, "whole", first)
    folder = Path(local_file_uri_to_path(client.get_logged_model(model_id).artifact_location))
    assert {path.name for path in (folder / "bundle").iterdir()} == FILES
    verify_checksums(folder / "bundle")
    assert (folder / "bundle" / "SHA256SUMS").read_bytes() == before
    tags = client.get_model_version("whole", first).tags
    assert tags["tlsearch.bundle_sha256"] == sha256(before).hexdigest()


def test_mlflow_loads_the_onnx_model_and_the_example(tracker, client, trial, bundle, monkeypatch):
    import mlflow

    tracker.register(trial, bundle, "example", {})
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracker.store.uri)
    assert mlflow.onnx.load_model("models:/example@champion") == make_model()
    loaded = mlflow.pyfunc.load_model("models:/example@champion")
    example = loaded.input_example
    np.testing.assert_array_equal(example["images"], read_golden(bundle).images[:1])
    assert loaded.predict(example)["probabilities"].shape == (1, CLASSES)
