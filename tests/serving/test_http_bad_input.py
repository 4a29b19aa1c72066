"""Requests that nobody should send: each gets its answer, none a 500, and memory stays bounded."""

from __future__ import annotations

import gzip
import json
import os
import socket
import zlib
from pathlib import Path

import httpx
import pytest
from running import read_all, read_answer, running, statuses, wait_for, write_bundle
from tiny_bundle import SIZE

INFER = "/v2/models/colours/infer"
ZEROS = [0] * (SIZE * SIZE * 3)
SHAPE = [1, SIZE, SIZE, 3]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = write_bundle(tmp_path_factory.mktemp("bad") / "bundle")
    with running(folder, {"json_bytes": 100_000}) as server:
        yield server


@pytest.fixture(scope="module")
def client(server):
    with httpx.Client(base_url=server.address, timeout=60) as client:
        yield client


def tensor(**changes) -> dict:
    return {"name": "images", "datatype": "UINT8", "shape": SHAPE, "data": ZEROS, **changes}


def request(**changes) -> dict:
    return {"inputs": [tensor()], **changes}


def problem(answer: httpx.Response, status: int = 400) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["error"]
    return answer.json()["detail"]


def nested(depth: int, width: int = 1):
    data = 0
    for _ in range(depth):
        data = [data] * width
    return data


def photo_lists() -> list:
    return [[[[0, 1, 2]] * SIZE] * SIZE]


def test_json_that_is_right(client):
    for data in (ZEROS, photo_lists(), [ZEROS]):
        answer = client.post(INFER, json=request(inputs=[tensor(data=data)]))
        assert answer.status_code in (200, 400)
        assert (answer.status_code == 200) == (data != [ZEROS])
    assert client.post(INFER, json=request(outputs=[])).status_code == 200
    assert client.post(INFER, json=request(id="", parameters={})).status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        None,
        7,
        "text",
        {},
        {"inputs": {}},
        {"inputs": [[]]},
        {"inputs": []},
        request(inputs=[tensor(), tensor()]),
        request(parameters=[]),
        request(parameters={"binary_data_output": 1}),
        request(parameters={"timeout": -1}),
        request(parameters={"timeout": "soon"}),
        request(parameters={"timeout": True}),
        request(id=7),
        request(outputs={}),
        request(outputs=[{"name": "logits"}]),
        request(outputs=[{"name": "probabilities"}] * 2),
        request(outputs=[{"name": "probabilities", "parameters": {"classification": -1}}]),
        request(outputs=[{"name": "probabilities", "parameters": {"classification": 1.5}}]),
        request(outputs=[{"name": "probabilities", "parameters": {"binary_data": "yes"}}]),
        *(
            request(inputs=[changed])
            for changed in (
                tensor(name="pictures"),
                tensor(name=None),
                tensor(datatype="FP32"),
                tensor(datatype=None),
                tensor(shape=None),
                tensor(shape=[]),
                tensor(shape=[1, SIZE, SIZE]),
                tensor(shape=[0, SIZE, SIZE, 3], data=[]),
                tensor(shape=[-1, SIZE, SIZE, 3]),
                tensor(shape=[True, SIZE, SIZE, 3]),
                tensor(shape=[1.0, SIZE, SIZE, 3]),
                tensor(shape=[10**30, SIZE, SIZE, 3]),
                tensor(shape=[1] * 1000),
                tensor(data=None),
                tensor(data=ZEROS[1:]),
                tensor(data=[*ZEROS, 0]),
                tensor(data="zeros"),
                tensor(data=[256, *ZEROS[1:]]),
                tensor(data=[-1, *ZEROS[1:]]),
                tensor(data=[0.5, *ZEROS[1:]]),
                tensor(data=[True, *ZEROS[1:]]),
                tensor(data=[None, *ZEROS[1:]]),
                tensor(data=["0", *ZEROS[1:]]),
                tensor(data=[[], *ZEROS[1:]]),
                tensor(data=[10**30, *ZEROS[1:]]),
                tensor(data=[[[[0, 1]] * SIZE] * SIZE]),
                tensor(data=[[[[0, 1, 2]] * SIZE] * (SIZE - 1) + [7]]),
                tensor(data=nested(100)),
                tensor(parameters={"binary_data_size": 5}),
                tensor(parameters=[]),
                tensor(parameters={"shared_memory_region": "x"}),
            )
        ),
    ],
    ids=lambda value: json.dumps(value)[-60:],
)
def test_json_that_is_wrong(client, wrong):
    problem(client.post(INFER, content=json.dumps(wrong)))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"NaN",
        b'{"inputs": [NaN]}',
        json.dumps(request(inputs=[tensor(data=[float("nan"), *ZEROS[1:]])])).encode(),
        json.dumps(request(inputs=[tensor(data=[float("inf"), *ZEROS[1:]])])).encode(),
        json.dumps(request()).replace("[0,", "[1e999,").encode(),
        json.dumps(request()).replace("[0,", "[" + "9" * 5000 + ",").encode(),
        b"[" * 50_000,
        b'{"a":' * 20_000,
        b"\xff\xfe{}",
        b'"\\ud800"',
        json.dumps(request(id="\ud800")).encode()[:-1],
        bytes(1000),
    ],
    ids=lambda text: f"{text[:20]!r}",
)
def test_what_is_no_json(client, text):
    problem(client.post(INFER, content=text))


def test_an_id_that_is_no_unicode_comes_back(client):
    answer = client.post(INFER, content=json.dumps(request(id="\ud800")))
    assert answer.status_code == 200
    assert b'"id":"\\ud800"' in answer.content


def test_too_much_json(client):
    problem(client.post(INFER, content=b"[" + b"0," * 60_000 + b"0]"), 413)


@pytest.mark.parametrize("path", ["index", "models/colours/load"])
def test_too_much_json_for_the_repository(client, path):
    spaces = b" " * 65_534
    assert client.post(f"/v2/repository/{path}", content=b"{}" + spaces).status_code == 200
    problem(client.post(f"/v2/repository/{path}", content=b"{} " + spaces), 413)


@pytest.mark.parametrize(
    ("length", "size", "extra"),
    [
        ("x", 192, 192),
        ("-1", 192, 192),
        ("1e3", 192, 192),
        ("99999999999999", 192, 192),
        ("9999", 192, 192),
        ("0", 192, 192),
        ("10", 192, 192),
        (None, 192, 192),
        ("right", 191, 192),
        ("right", 192, 191),
        ("right", 192, 193),
        ("right", 0, 0),
        ("right", "192", 192),
        ("right", -192, 192),
        ("right", 192.0, 192),
    ],
)
def test_binary_parts_that_do_not_fit(client, length, size, extra):
    given = tensor(parameters={"binary_data_size": size})
    del given["data"]
    text = json.dumps(request(inputs=[given])).encode()
    headers = {}
    if length is not None:
        value = str(len(text)) if length == "right" else length
        headers = {"inference-header-content-length": value}
    problem(client.post(INFER, headers=headers, content=text + bytes(extra)))


def test_a_binary_input_without_a_binary_part(client):
    given = tensor(parameters={"binary_data_size": 192})
    del given["data"]
    detail = problem(client.post(INFER, json=request(inputs=[given])))
    assert "Inference-Header-Content-Length" in detail


def bomb(encoding: str, size: int = 64_000_000) -> bytes:
    machine = zlib.compressobj(1, wbits=31 if encoding == "gzip" else 15)
    piece = bytes(1_000_000)
    parts = [machine.compress(piece) for _ in range(size // len(piece))]
    return b"".join([*parts, machine.flush()])


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb(client, encoding):
    before = memory()
    packed = bomb(encoding)
    assert len(packed) < 1_000_000
    headers = {"content-encoding": encoding}
    detail = problem(client.post(INFER, headers=headers, content=packed), 413)
    assert "decompressed" in detail
    assert memory() - before < 150_000_000


# The time would be in it, and so in the names of tests.
PACKED = gzip.compress(b"{}", mtime=0)


@pytest.mark.parametrize(
    ("encoding", "content", "status"),
    [
        ("gzip", b"no gzip", 400),
        ("gzip", PACKED[:-9], 400),
        ("gzip", PACKED + b"more", 400),
        ("gzip", PACKED, 400),
        ("gzip", b"", 400),
        ("br", b"", 415),
        ("gzip, gzip", PACKED, 415),
    ],
)
def test_compressed_bodies_that_are_wrong(client, encoding, content, status):
    problem(client.post(INFER, headers={"content-encoding": encoding}, content=content), status)


@pytest.mark.parametrize(
    "name",
    ["..", "../..", "..%2f..%2fetc%2fpasswd", "%2e%2e", "a%00b", "%ff%fe", "a" * 5000, "%", "x%zz"],
)
def test_names_that_are_paths(server, name):
    for path in (f"/v2/models/{name}/infer", f"/v2/models/colours/versions/{name}/infer"):
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\n"
        assert statuses(server.ask(head.encode() + b"{}"))[0] in (400, 404, 405)


GIGABYTE = 1 << 30
FRAMINGS = {
    "content-length: 1073741824": bytes(1 << 20),
    "transfer-encoding: chunked": b"100000\r\n" + bytes(1 << 20) + b"\r\n",
}


@pytest.mark.parametrize(("path", "status"), [(INFER, 413), ("/v1/classify", 413), ("/absent", 0)])
@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_gigabyte(server, path, status, framing):
    """The client sends all of it and reads only then: nothing has reset the connection."""
    before, piece = memory(), FRAMINGS[framing]
    with server.connect() as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\nhost: x\r\n{framing}\r\n\r\n".encode())
        for _ in range(GIGABYTE // (1 << 20)):
            connection.sendall(piece)
        code, _, text = read_answer(connection)
        assert code == (status or (413 if "length" in framing else 404))
        assert json.loads(text)["status"] == code
        assert connection.recv(1) == b""
    assert memory() - before < 100_000_000
    wait_for(lambda: server.front.held == 0)


def test_a_gigabyte_of_a_client_that_listens(server):
    """It hears of the refusal as soon as there is one, and need not send the rest."""
    with server.connect() as connection:
        head = f"POST {INFER} HTTP/1.1\r\nhost: x\r\ncontent-length: {GIGABYTE}\r\n\r\n"
        connection.sendall(head.encode() + bytes(1 << 20))
        assert read_answer(connection)[0] == 413


def test_a_body_without_end_is_cut_off(tmp_path):
    """What is thrown away has its limit too: the time that any request has."""
    with running(write_bundle(tmp_path / "bundle"), {"receive_seconds": 1.0}) as server:
        before = memory()
        with server.connect() as connection:
            head = f"POST {INFER} HTTP/1.1\r\nhost: x\r\ncontent-length: {1 << 60}\r\n\r\n"
            connection.sendall(head.encode())
            with pytest.raises(ConnectionError):
                send_for_ever(connection)
        assert memory() - before < 100_000_000
        wait_for(lambda: not server.front._watched)


def send_for_ever(connection):
    while True:
        connection.sendall(bytes(1 << 20))


def test_a_million_chunks(server):
    before = memory()
    with server.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = f"POST {INFER} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
        connection.sendall(head.encode() + b"transfer-encoding: chunked\r\n\r\n")
        for _ in range(100):
            connection.sendall(b"2\r\n[[\r\n" * 10_000)
        connection.sendall(b"0\r\n\r\n")
        assert statuses(read_all(connection)) == [413]
    assert memory() - before < 100_000_000


def memory() -> int:
    """Bytes that this process, which the server runs in, has in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
