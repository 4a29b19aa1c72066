"""Anything at all is sent to both endpoints: every answer is an answer, and none says 500."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from running import running, statuses, write_bundle
from tiny_bundle import SIZE

BYTES = SIZE * SIZE * 3
FEW, MANY = 120, 5000
FITTING = {400, 404, 405, 408, 413, 415, 422, 431, 503}

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner),
    max_leaves=10,
)
sizes = st.sampled_from([0, 1, 3, SIZE, SIZE + 1, BYTES, -1, 2**63]) | st.integers()


def maybe(right):
    """Nearly always right, sometimes anything."""
    return st.integers(0, 24).flatmap(lambda luck: values if luck == 0 else right)


def tensors(binary: bool):
    """Inputs that name a binary part, or hold their data."""
    sized = st.fixed_dictionaries({"binary_data_size": maybe(st.just(BYTES))})
    numbers = st.lists(st.integers(0, 255), min_size=3, max_size=3).map(lambda rgb: rgb * SIZE**2)
    content = {"parameters": maybe(sized)} if binary else {"data": maybe(numbers)}
    return st.fixed_dictionaries(
        {
            "name": maybe(st.just("images")),
            "datatype": maybe(st.just("UINT8")),
            "shape": maybe(st.just([1, SIZE, SIZE, 3]) | st.lists(sizes, max_size=5)),
            **content,
        }
    )


outputs = st.fixed_dictionaries(
    {"name": maybe(st.just("probabilities"))},
    optional={
        "parameters": maybe(
            st.dictionaries(st.sampled_from(["binary_data", "classification"]), values)
        )
    },
)


def requests(binary: bool):
    """Requests of either kind."""
    return st.fixed_dictionaries(
        {"inputs": maybe(tensors(binary).map(lambda tensor: [tensor]))},
        optional={
            "id": maybe(st.text()),
            "outputs": maybe(st.lists(outputs, max_size=1)),
            "parameters": maybe(
                st.dictionaries(st.sampled_from(["timeout", "binary_data_output", "x"]), values)
            ),
        },
    )


tails = st.just(bytes(BYTES)) | st.binary(max_size=300)
lengths = st.just("right") | st.sampled_from(["0", "-1", "5", "x", "99999999"])
messages = st.tuples(maybe(requests(False)), st.none(), st.just(b"")) | st.tuples(
    maybe(requests(True)), lengths, tails
)


def picture(kind: str) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (16, 20, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, kind)
    return stream.getvalue()


PICTURES = [picture(kind) for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP")]
changes = st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), max_size=8)
damaged = st.tuples(st.sampled_from(PICTURES), changes, st.integers(0, 3000))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = write_bundle(tmp_path_factory.mktemp("fuzz") / "bundle")
    with running(folder, {"receive_seconds": 1.0}) as server:
        yield server


def post(path: str, fields: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{fields}"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def check_infer(server, message):
    asked, length, tail = message
    text = json.dumps(asked).encode("utf-8", "surrogatepass")
    fields = ""
    if length is not None:
        value = len(text) if length == "right" else length
        fields = f"inference-header-content-length: {value}\r\n"
        text += tail
    (status,) = statuses(server.ask(post("/v2/models/colours/infer", fields, text)))
    assert status in {200, 504} | FITTING


def check_classify(server, photo, kind, name):
    original, changed, end = photo
    data = bytearray(original)
    for place, value in changed:
        data[place % len(data)] = value
    fields = f"content-type: {kind}\r\n"
    if kind.startswith("multipart"):
        part = b'--x\r\ncontent-disposition: form-data; name="a"; filename="%b"\r\n\r\n' % name
        data = bytearray(part + data + b"\r\n--x--\r\n")
    body = bytes(data[: len(data) - end % 50 if end > 2900 else None])
    (status,) = statuses(server.ask(post("/v1/classify?top=2", fields, body)))
    assert status in {200} | FITTING


def check_bytes(server, parts):
    answer = server.ask(b"".join(parts))
    assert set(statuses(answer)) <= {100, 200} | FITTING
    assert len(statuses(answer)) >= 1 or not b"".join(parts).strip(b"\r\n")


FORM = "multipart/form-data; boundary=x"
CHARSETS = ["utf-8", "UTF8", "latin-1", "utf-7", "utf-16", "undefined", "punycode", "idna"]
CHARSETS += ["unicode_escape", "raw_unicode_escape", "rot13", "zlib", "nonsense", ""]
charsets = st.sampled_from([f"{FORM}; charset={name}" for name in CHARSETS])
kinds = st.sampled_from(["image/jpeg", FORM, "multipart/form-data"]) | charsets
names = st.sampled_from([b"a", rb"\ud800", b"\xed\xa0\x80", b"\xff", b""]) | st.binary(max_size=9)
pieces = st.lists(
    st.sampled_from(
        [
            b"POST /v2/models/colours/infer HTTP/1.1\r\n",
            b"POST /v1/classify HTTP/1.1\r\n",
            b"GET / HTTP/1.1\r\n",
            b"host: x\r\n",
            b"content-length: 5\r\n",
            b"content-length: 0\r\n",
            b"transfer-encoding: chunked\r\n",
            b"content-encoding: gzip\r\n",
            b"connection: close\r\n",
            b"expect: 100-continue\r\n",
            b"\r\n",
            b"hello",
            b"5\r\nhello\r\n",
            b"0\r\n\r\n",
        ]
    )
    | st.binary(max_size=20),
    min_size=1,
    max_size=12,
)


def fuzz(examples, **strategies):
    """The property holds for so many examples."""
    quiet = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]

    def decorate(check):
        return settings(max_examples=examples, deadline=None, suppress_health_check=quiet)(
            given(**strategies)(check)
        )

    return decorate


INFER = {"message": messages}
CLASSIFY = {"photo": damaged, "kind": kinds, "name": names}


@fuzz(FEW, **INFER)
def test_infer(server, message):
    check_infer(server, message)


@fuzz(FEW, **CLASSIFY)
def test_classify(server, photo, kind, name):
    check_classify(server, photo, kind, name)


@fuzz(FEW // 8, parts=pieces)
def test_bytes(server, parts):
    check_bytes(server, [*parts, b"\x00\r\n\r\n"])


@pytest.mark.slow
@fuzz(MANY, **INFER)
def test_infer_at_length(server, message):
    check_infer(server, message)


@pytest.mark.slow
@fuzz(MANY, **CLASSIFY)
def test_classify_at_length(server, photo, kind, name):
    check_classify(server, photo, kind, name)


@pytest.mark.slow
@fuzz(MANY // 10, parts=pieces)
def test_bytes_at_length(server, parts):
    check_bytes(server, [*parts, b"\x00\r\n\r\n"])
