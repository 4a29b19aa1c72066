"""The real Triton client against the server."""

from __future__ import annotations

import asyncio
import re

import numpy as np
import pytest
from running import running, write_bundle
from tiny_bundle import LABELS, SIZE

from serving import Bundle, Engine

triton = pytest.importorskip("tritonclient.http")
from tritonclient.utils import InferenceServerException  # noqa: E402

NAME = "colours"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_bundle(tmp_path_factory.mktemp("v2") / "bundle")


@pytest.fixture(scope="module")
def server(folder):
    with running(folder) as server:
        yield server


@pytest.fixture
def client(server):
    with triton.InferenceServerClient(f"127.0.0.1:{server.port}", concurrency=4) as client:
        yield client


def photos(count=2):
    return np.random.default_rng(count).integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)


def tensor(images, binary=True, name="images", datatype="UINT8"):
    given = triton.InferInput(name, list(images.shape), datatype)
    given.set_data_from_numpy(images, binary_data=binary)
    return given


def wanted(binary=True, classes=0):
    return [triton.InferRequestedOutput("probabilities", binary, classes)]


def refusal(client, *inputs, name=NAME, **given):
    with pytest.raises(InferenceServerException) as caught:
        client.infer(name, list(inputs), **given)
    return caught.value


def test_health_and_metadata(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(NAME)
    assert client.is_model_ready(NAME, "1")
    assert not client.is_model_ready("absent")
    assert not client.is_model_ready(NAME, "7")
    assert client.get_server_metadata()["name"] == "tlsearch"
    about = client.get_model_metadata(NAME)
    assert about["inputs"] == [{"name": "images", "datatype": "UINT8", "shape": [-1, 8, 8, 3]}]
    assert about["outputs"] == [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]}]
    assert about["versions"] == ["1"]
    assert about["parameters"]["labels"] == LABELS


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
@pytest.mark.parametrize("count", [1, 2, 33])
def test_answers_are_those_of_the_engine(client, folder, binary_in, binary_out, count):
    images = photos(count)
    answer = client.infer(NAME, [tensor(images, binary_in)], outputs=wanted(binary_out))
    expected = Engine(Bundle.open(folder)).predict(images)
    np.testing.assert_allclose(answer.as_numpy("probabilities"), expected, atol=1e-6)
    assert answer.get_response()["model_version"] == "1"


@pytest.mark.parametrize("binary", [True, False])
def test_the_most_probable_classes_as_text(client, binary):
    answer = client.infer(NAME, [tensor(photos(3))], outputs=wanted(binary, classes=2))
    rows = answer.as_numpy("probabilities")
    assert rows.shape == (3, 2)
    first = rows[0, 0].decode() if binary else rows[0, 0]
    probability, place, label = str(first).split(":")
    assert LABELS[int(place)] == label
    assert 1 / 3 <= float(probability) <= 1


def test_more_classes_than_there_are(client):
    answer = client.infer(NAME, [tensor(photos(1))], outputs=wanted(classes=50))
    assert answer.as_numpy("probabilities").shape == (1, 3)


def test_id_version_and_ignored_parameters(client):
    answer = client.infer(
        NAME,
        [tensor(photos())],
        model_version="1",
        request_id="seven ✓",
        priority=2,
        timeout=5_000_000,
        sequence_id=3,
        parameters={"mine": 1},
    )
    assert answer.get_response()["id"] == "seven ✓"
    assert answer.as_numpy("probabilities").shape == (2, 3)


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_compressed_requests(client, algorithm):
    plain = client.infer(NAME, [tensor(photos())])
    packed = client.infer(NAME, [tensor(photos())], request_compression_algorithm=algorithm)
    np.testing.assert_array_equal(packed.as_numpy("probabilities"), plain.as_numpy("probabilities"))
    answer = client.infer(NAME, [tensor(photos())], response_compression_algorithm=algorithm)
    assert answer.as_numpy("probabilities").shape == (2, 3)


def test_several_requests_at_once(client, folder):
    many = [photos(count) for count in range(1, 9)]
    started = [client.async_infer(NAME, [tensor(images)]) for images in many]
    engine = Engine(Bundle.open(folder))
    for images, request in zip(many, started, strict=True):
        given = request.get_result().as_numpy("probabilities")
        np.testing.assert_allclose(given, engine.predict(images), atol=1e-6)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ([tensor(photos()), tensor(photos())], "one input"),
        ([tensor(photos(), name="pictures")], "'images'"),
        ([tensor(photos().astype(np.float32), datatype="FP32")], "UINT8"),
        ([tensor(photos()[:, :5])], r"\[n, 8, 8, 3\]"),
        ([tensor(photos()[0])], r"\[n, 8, 8, 3\]"),
        ([tensor(photos()[:0])], "n at least 1"),
        ([], "one input"),
    ],
)
def test_mistakes_are_told(client, inputs, words):
    error = refusal(client, *inputs)
    assert error.status() == "400"
    assert re.search(words, error.message())


def test_other_mistakes(client):
    assert refusal(client, tensor(photos()), name="absent").status() == "404"
    assert refusal(client, tensor(photos()), name="../../etc/passwd").status() == "404"
    assert refusal(client, tensor(photos()), model_version="9").status() == "404"
    other = [triton.InferRequestedOutput("logits")]
    assert "probabilities" in refusal(client, tensor(photos()), outputs=other).message()
    shared = triton.InferInput("images", [1, SIZE, SIZE, 3], "UINT8")
    shared.set_shared_memory("region", 192)
    assert "shared memory" in refusal(client, shared).message()


def test_a_deadline_that_is_over_before_the_turn_comes(client):
    error = refusal(client, tensor(photos(256)), timeout=1)
    assert error.status() == "504"


def test_the_repository(folder):
    with running(folder) as server:
        client = triton.InferenceServerClient(f"127.0.0.1:{server.port}")
        row = {"name": NAME, "version": "1", "state": "READY", "reason": ""}
        assert client.get_model_repository_index() == [row]
        client.unload_model(NAME)
        assert client.get_model_repository_index()[0]["state"] == "UNAVAILABLE"
        assert refusal(client, tensor(photos())).status() == "503"
        client.load_model(NAME)
        assert client.is_model_ready(NAME)
        with pytest.raises(InferenceServerException, match="absent"):
            client.load_model("absent")
        with pytest.raises(InferenceServerException, match="no configuration"):
            client.load_model(NAME, config="{}")
        client.close()


def test_control_can_be_switched_off(folder):
    with running(folder, control=False) as server:
        client = triton.InferenceServerClient(f"127.0.0.1:{server.port}")
        assert client.get_model_repository_index()[0]["state"] == "READY"
        for change in (client.load_model, client.unload_model):
            with pytest.raises(InferenceServerException, match="switched off"):
                change(NAME)
        assert client.is_model_ready(NAME)
        client.close()


def test_the_asynchronous_client(server):
    import tritonclient.http.aio as aio

    async def ask():
        async with aio.InferenceServerClient(f"127.0.0.1:{server.port}") as client:
            answers = await asyncio.gather(
                *[client.infer(NAME, [tensor(photos(n))]) for n in (1, 2)]
            )
            return [answer.as_numpy("probabilities").shape for answer in answers]

    assert asyncio.run(ask()) == [(1, 3), (2, 3)]
