"""A connection, and requests that come whole, in pieces, in a row, too late or not at all."""

from __future__ import annotations

import json
import socket
import time
from contextlib import suppress

import numpy as np
import pytest
from running import options, read_all, read_answer, running, statuses, wait_for, write_bundle
from tiny_bundle import SIZE

INFER = b"POST /v2/models/colours/infer HTTP/1.1\r\nhost: x\r\n"
BYTES = SIZE * SIZE * 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_bundle(tmp_path_factory.mktemp("protocol") / "bundle")


@pytest.fixture(scope="module")
def server(folder):
    limits = {"body_bytes": 300_000, "receive_seconds": 1.0, "idle_seconds": 2.0}
    with running(folder, limits) as server:
        yield server


def request(seed=0, fields=b"", request_id=None, count=1) -> tuple[bytes, bytes]:
    """Head and body of a binary infer request."""
    tensor = {"name": "images", "datatype": "UINT8", "shape": [count, SIZE, SIZE, 3]}
    text = {"inputs": [{**tensor, "parameters": {"binary_data_size": BYTES * count}}]}
    if request_id is not None:
        text["id"] = request_id
    header = json.dumps(text).encode()
    data = np.random.default_rng(seed).integers(0, 256, BYTES * count, dtype=np.uint8).tobytes()
    length = b"inference-header-content-length: %d\r\n" % len(header)
    return INFER + length + fields, header + data


def whole(**given) -> bytes:
    head, body = request(**given)
    return head + b"content-length: %d\r\n\r\n" % len(body) + body


def chunked(body: bytes, size: int) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def close(message: bytes) -> bytes:
    return message.replace(b"host: x\r\n", b"host: x\r\nconnection: close\r\n")


def ids(answer: bytes) -> list[str]:
    return [part.split('"')[0] for part in answer.decode("latin-1").split('"id":"')[1:]]


def is_healthy(server) -> bool:
    answer = server.ask(close(whole()))
    return statuses(answer) == [200]


def test_a_request_byte_by_byte(server):
    with server.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in whole():
            connection.sendall(bytes([byte]))
        status, headers, body = read_answer(connection)
    assert status == 200
    assert headers["content-type"] == "application/json"
    assert "date" in headers
    assert len(json.loads(body)["outputs"][0]["data"]) == 3


def test_many_requests_on_one_connection(server):
    with server.connect() as connection:
        for number in range(20):
            connection.sendall(whole(seed=number, request_id=str(number)))
            status, _, body = read_answer(connection)
            assert (status, json.loads(body)["id"]) == (200, str(number))


def test_pipelined_requests_are_answered_in_their_order(server):
    other = b"GET /v2/health/ready HTTP/1.1\r\nhost: x\r\n\r\n"
    wrong = INFER + b"content-length: 2\r\n\r\n{}"
    parts = [whole(request_id="a", count=16), other, whole(request_id="b"), wrong]
    parts += [whole(request_id="c"), other, close(whole(request_id="d"))]
    answer = server.ask(b"".join(parts))
    assert statuses(answer) == [200, 200, 200, 400, 200, 200, 200]
    assert ids(answer) == ["a", "b", "c", "d"]
    assert answer.index(b'"ready":true') < answer.index(b'"id":"b"')


def test_pipelined_requests_in_pieces_of_any_size(server):
    message = b"".join(whole(request_id=str(number)) for number in range(5)) + close(whole())
    pieces = [message[start : start + 777] for start in range(0, len(message), 777)]
    answer = server.ask(*pieces)
    assert statuses(answer) == [200] * 6
    assert ids(answer) == ["0", "1", "2", "3", "4"]


def test_too_many_requests_in_a_row_are_cut_off(server):
    message = b"".join(whole(request_id=str(number)) for number in range(500))
    with server.connect() as connection:
        connection.settimeout(20)
        with suppress(OSError):
            connection.sendall(message)
        answer = read_all(connection)
    told = statuses(answer)
    assert told.count(200) >= 64
    assert set(told[:-1]) == {200}
    assert is_healthy(server)


def test_a_client_that_waits_to_be_invited(server):
    head, body = request()
    with server.connect() as connection:
        fields = b"expect: 100-continue\r\ncontent-length: %d\r\n\r\n" % len(body)
        connection.sendall(head + fields)
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert read_answer(connection)[0] == 200


def test_a_client_that_is_not_invited_to_send_too_much(server):
    head = INFER + b"expect: 100-continue\r\ncontent-length: 99999999\r\n\r\n"
    assert statuses(server.ask(head)) == [413]


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_a_chunked_body(server, size):
    head, body = request(fields=b"transfer-encoding: chunked\r\n")
    message = close(head) + b"\r\n" + chunked(body, size)
    answer = server.ask(message)
    assert statuses(answer) == [200]


def test_a_body_of_very_many_chunks(server):
    head, body = request(fields=b"transfer-encoding: chunked\r\n", count=250)
    answer = server.ask(close(head) + b"\r\n" + chunked(body, 1))
    assert statuses(answer) == [200]


def test_an_old_client_is_answered_and_left(server):
    answer = server.ask(whole().replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert statuses(answer) == [200]
    assert b"connection: close" in answer


def test_a_whole_address_in_the_request_line(server):
    message = close(whole()).replace(b"POST /v2", b"POST http://example.org/v2")
    assert statuses(server.ask(message)) == [200]


def test_clients_that_leave_before_the_answer(server):
    for _ in range(20):
        with server.connect() as connection:
            connection.sendall(whole(count=16))
    for _ in range(20):
        with server.connect() as connection:
            connection.sendall(whole(count=64)[:5000])
    wait_for(lambda: not server.server.server_state.connections)
    assert is_healthy(server)
    wait_for(lambda: server.front.held == 0)


def test_an_early_answer_leaves_the_connection_usable(server):
    with server.connect() as connection:
        connection.sendall(whole().replace(b"colours", b"absent"))
        assert read_answer(connection)[0] == 404
        connection.sendall(b"POST /nowhere HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n")
        assert read_answer(connection)[0] == 404
        connection.sendall(bytes(100_000))
        connection.sendall(whole())
        assert read_answer(connection)[0] == 200


@pytest.mark.parametrize("path", [b"/v2/models/colours/infer", b"/v1/classify", b"/nowhere"])
def test_too_much_is_refused_while_it_comes(server, path):
    head = b"POST " + path + b" HTTP/1.1\r\nhost: x\r\n"
    said = server.ask(head + b"content-length: 300001\r\n\r\n")
    assert statuses(said) == [413]
    with server.connect() as connection:
        connection.sendall(head + b"transfer-encoding: chunked\r\n\r\n")
        with suppress(OSError):
            for _ in range(100):
                connection.sendall(b"2710\r\n" + bytes(10_000) + b"\r\n")
        told = statuses(read_all(connection))
    assert told in ([413], [404])
    assert (told == [413]) == (path != b"/nowhere")
    wait_for(lambda: server.front.held == 0)


@pytest.mark.parametrize(
    "slow",
    [
        [b"G"],
        [b"POST /v2/models/colours/infer HTTP/1.1\r\nx: y"],
        [whole()[:-5]],
        [b"POST /v1/classify HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc"],
        [INFER + b"transfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n"],
    ],
)
def test_a_request_that_stops_half_way(server, slow):
    started = time.monotonic()
    answer = server.ask(*slow)
    assert statuses(answer) == [408]
    assert time.monotonic() - started < 15


def test_headers_that_trickle(server):
    with server.connect() as connection:
        connection.sendall(INFER)
        told = b""
        connection.settimeout(0.1)
        for number in range(300):
            try:
                connection.sendall(b"x-%d: y\r\n" % number)
                told += connection.recv(1000)
            except TimeoutError:
                continue
            except OSError:
                break
            if told:
                break
    assert statuses(told) == [408]


def test_an_idle_connection_is_closed(server):
    with server.connect() as connection:
        assert connection.recv(1) == b""
    with server.connect() as connection:
        connection.sendall(b"\r\n")
        assert connection.recv(1) == b""


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v2 HTTP/1.1\r\nx: " + b"y" * 20_000,
        b"GET /v2 HTTP/1.1\r\nx: " + b"y" * 500_000,
        b"GET /v2?" + b"q" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /v2 HTTP/1.1\r\n" + b"".join(b"x%d: y\r\n" % n for n in range(5000)) + b"\r\n",
        INFER + b"x: " + b"y" * 17_000 + b"\r\n\r\n",
        INFER + b"transfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nx: " + b"y" * 500_000,
        INFER + b"transfer-encoding: chunked\r\n\r\n1;" + b"y" * 500_000,
    ],
)
def test_too_long_a_head_or_tail(server, head):
    with server.connect() as connection:
        with suppress(OSError):
            for start in range(0, len(head), 10_000):
                connection.sendall(head[start : start + 10_000])
        assert statuses(read_all(connection)) == [431]


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        INFER + b"content-length: -1\r\n\r\n",
        INFER + b"content-length: 1\r\ncontent-length: 2\r\n\r\n",
        INFER + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        INFER + b"content-length: 99999999999999999999999\r\n\r\n",
        INFER + b"transfer-encoding: chunked\r\n\r\nxyz\r\n",
        INFER + b"no colon here\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\n\r\n",
        b"POST /v2/models/%ff/infer HTTP/1.1\r\n" + b"content-length: zz\r\n\r\n",
    ],
)
def test_nonsense_is_a_problem(server, nonsense):
    answer = server.ask(nonsense)
    assert statuses(answer) == [400]
    body = json.loads(answer.split(b"\r\n\r\n", 1)[1])
    assert body["status"] == 400
    assert body["error"]
    assert b"application/problem+json" in answer


def test_nonsense_after_a_request_does_not_take_its_answer(server):
    answer = server.ask(whole(count=64) + b"NONSENSE\r\n\r\n")
    assert statuses(answer) == [200, 400]


def send_for_ever(connection, message):
    while True:
        connection.sendall(message)


def test_a_client_that_never_reads_is_left(folder):
    limits = {"receive_seconds": 0.5, "idle_seconds": 1.0}
    with running(folder, limits) as server, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", server.port))
        connection.settimeout(0.2)
        message = b"GET /v2/models/absent HTTP/1.1\r\nhost: x\r\n\r\n" * 20
        with pytest.raises(OSError, match=r"timed out|reset|pipe"):
            send_for_ever(connection, message)
        wait_for(lambda: not server.server.server_state.connections)


def test_crowds(folder):
    limits = {"connections": 5, "reserve": 2, "idle_seconds": 30.0}
    probe = b"GET /v2/health/live HTTP/1.1\r\nhost: x\r\n\r\n"
    with running(folder, limits) as server:
        inside = [server.connect() for _ in range(5)]
        for connection in inside:
            connection.sendall(whole())
            assert read_answer(connection)[0] == 200
        with server.connect() as spare:
            spare.sendall(probe)
            assert read_answer(spare)[0] == 200
            spare.sendall(whole())
            status, headers, _ = read_answer(spare)
            assert (status, headers["retry-after"]) == (503, "1")
        waiting = [server.connect() for _ in range(2)]
        wait_for(lambda: len(server.server.server_state.connections) == 7)
        assert statuses(server.ask()) == [503]
        inside[0].sendall(whole())
        assert read_answer(inside[0])[0] == 200
        for connection in (*inside, *waiting):
            connection.close()
        wait_for(lambda: not server.server.server_state.connections)
        assert is_healthy(server)


def test_bodies_have_room_together_or_not_at_all(folder):
    with running(folder, {"held_bytes": 10_000}) as server:
        assert statuses(server.ask(whole(count=64))) == [503]
        assert is_healthy(server)
        assert server.front.held == 0


def test_bodies_that_are_answered_make_room_though_another_comes(folder):
    message = whole(count=16)
    middle = len(message) // 2
    limits = {"held_bytes": 4 * len(message)}
    with running(folder, limits) as server, server.connect() as connection:
        connection.sendall(message[:middle])
        for _ in range(20):
            connection.sendall(message[middle:] + message[:middle])
            assert read_answer(connection)[0] == 200
        wait_for(lambda: 0 < server.front.held < len(message))
        connection.sendall(message[middle:])
        assert read_answer(connection)[0] == 200
        wait_for(lambda: server.front.held == 0)


def test_idle_sockets_are_in_nobodys_way(server, folder):
    idle = [server.connect() for _ in range(200)]
    try:
        with server.connect() as connection:
            for _ in range(50):
                connection.sendall(whole())
                assert read_answer(connection)[0] == 200
    finally:
        for connection in idle:
            connection.close()


@pytest.mark.parametrize(("given", "status"), [(None, 401), (b"wrong", 401), (b"s3cret", 200)])
def test_a_token(folder, given, status):
    line = b"" if given is None else b"authorization: Bearer " + given + b"\r\n"
    with running(folder, token="s3cret") as server:
        assert statuses(server.ask(close(whole(fields=line)))) == [status]
        for path, without in [
            (b"/v2", status),
            (b"/metrics", status),
            (b"/v1/card", status),
            (b"/v2/health/live", 200),
            (b"/v2/health/ready", 200),
            (b"/", 200),
        ]:
            head = b"GET " + path + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
            assert statuses(server.ask(head + line + b"\r\n")) == [without], path
    assert "s3cret" not in repr(options(folder, token="s3cret"))


def test_metrics_may_be_open(folder):
    with running(folder, token="s3cret", open_metrics=True) as server:
        answer = server.ask(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert statuses(answer) == [200]
        assert b"tlsearch_" in answer
