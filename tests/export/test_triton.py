"""A Triton model repository, read back by the messages that Triton itself is built from."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from test_bundle_manifest import MANIFEST

from tlsearch.errors import BundleError, UsageError
from tlsearch.export.checksums import write_checksums
from tlsearch.export.triton import describe_model, write_triton


@pytest.fixture
def bundle(tmp_path):
    folder = tmp_path / "bundle"
    folder.mkdir()
    photos = helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", 4, 4, 3])
    answers = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 2])
    nodes = [
        helper.make_node("Cast", ["images"], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["wide"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Slice", ["mean", "zero", "two", "one"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"]),
    ]
    values = {"zero": 0, "one": 1, "two": 2}
    constants = [helper.make_tensor(k, TensorProto.INT64, [1], [v]) for k, v in values.items()]
    graph = helper.make_graph(nodes, "tiny", [photos], [answers], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "model.onnx")
    MANIFEST.write(folder)
    write_checksums(folder)
    return folder


def test_the_repository_is_as_triton_wants_it(bundle, tmp_path):
    folder = write_triton(bundle, tmp_path / "models")
    assert folder == tmp_path / "models" / "flowers"
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    assert files == {"1", "1/model.onnx", "config.pbtxt", "labels.txt"}
    assert (folder / "labels.txt").read_text().split() == MANIFEST.labels
    session = onnxruntime.InferenceSession(
        folder / "1" / "model.onnx", providers=["CPUExecutionProvider"]
    )
    [answer] = session.run(None, {"images": np.zeros((1, 4, 4, 3), np.uint8)})
    assert answer.shape == (1, 2)


def test_the_configuration_is_a_message_of_triton_s():
    config_pb2 = pytest.importorskip("tritonclient.grpc.model_config_pb2")
    from google.protobuf import text_format

    config = text_format.Parse(describe_model(MANIFEST), config_pb2.ModelConfig())
    [images], [probabilities] = config.input, config.output
    assert (config.name, config.platform) == ("flowers", "onnxruntime_onnx")
    assert config.max_batch_size > 1
    assert config.HasField("dynamic_batching")
    assert (images.name, images.data_type, list(images.dims)) == (
        "images",
        config_pb2.TYPE_UINT8,
        [160, 160, 3],
    )
    assert (probabilities.name, probabilities.data_type, list(probabilities.dims)) == (
        "probabilities",
        config_pb2.TYPE_FP32,
        [2],
    )
    assert probabilities.label_filename == "labels.txt"


def test_an_older_model_gives_way_and_others_stay(bundle, tmp_path):
    repository = tmp_path / "models"
    (repository / "other").mkdir(parents=True)
    first = write_triton(bundle, repository)
    (first / "labels.txt").write_text("old")
    write_triton(bundle, repository)
    assert (first / "labels.txt").read_text() != "old"
    assert {path.name for path in repository.iterdir()} == {"flowers", "other"}


def test_something_else_is_left_alone(bundle, tmp_path):
    precious = tmp_path / "models" / "flowers" / "dear.txt"
    precious.parent.mkdir(parents=True)
    precious.write_text("precious")
    with pytest.raises(UsageError, match="take the place of something else"):
        write_triton(bundle, tmp_path / "models")
    assert precious.read_text() == "precious"


@pytest.mark.parametrize("name", ["../flowers", "a b", "a/b", "..", "ä"])
def test_a_name_that_is_no_folder_s_is_refused(bundle, tmp_path, name):
    MANIFEST.model_copy(update={"name": name}).write(bundle)
    write_checksums(bundle)
    with pytest.raises(UsageError, match="name from its folder"):
        write_triton(bundle, tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_a_damaged_bundle_is_refused(bundle, tmp_path):
    (bundle / "model.onnx").write_bytes(b"")
    with pytest.raises(BundleError, match="changed files"):
        write_triton(bundle, tmp_path / "models")
