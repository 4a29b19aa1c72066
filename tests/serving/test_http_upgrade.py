"""Clients that offer to go on in another protocol: they are answered as if they did not."""

from __future__ import annotations

import json

import pytest
from running import read_answer, running, statuses, write_bundle
from test_http_protocol import chunked, close, ids, request, whole

H2C = b"upgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"
OFFER = b"connection: upgrade, http2-settings\r\n" + H2C


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(write_bundle(tmp_path_factory.mktemp("upgrade") / "bundle")) as server:
        yield server


def offering(**given) -> bytes:
    return whole(fields=OFFER, **given)


def last(message: bytes) -> bytes:
    """The same message of a client that wants the connection closed."""
    return message.replace(b"connection: upgrade", b"connection: close, upgrade")


def head_and_body(message: bytes) -> list[bytes]:
    head, _, body = message.partition(b"\r\n\r\n")
    return [head + b"\r\n\r\n", body]


@pytest.mark.parametrize("first", [0, 30, -1, None], ids=["whole", "in the head", "a byte", "head"])
def test_the_body_of_an_offer_arrives(server, first):
    message = last(offering(request_id="a", count=16))
    parts = head_and_body(message) if first is None else [message[:first], message[first:]]
    answer = server.ask(*parts)
    assert (statuses(answer), ids(answer)) == ([200], ["a"])


def test_each_request_of_a_connection_may_offer(server):
    with server.connect() as connection:
        for number in range(3):
            for part in head_and_body(offering(request_id=str(number))):
                connection.sendall(part)
            status, _, body = read_answer(connection)
            assert (status, json.loads(body)["id"]) == (200, str(number))


def test_pipelined_offers_are_answered_in_their_order(server):
    other = b"GET /v2 HTTP/1.1\r\nhost: x\r\n" + OFFER + b"\r\n"
    parts = [offering(request_id="a"), other, whole(request_id="b"), offering(request_id="c")]
    answer = server.ask(b"".join([*parts, last(other)]))
    assert statuses(answer) == [200] * 5
    assert ids(answer) == ["a", "b", "c"]


def test_very_many_offers_at_once(server):
    """Each begins anew, and none inside of another."""
    head = b"POST /v2/models/absent/infer HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n" + OFFER
    answer = server.ask((head + b"\r\n") * 1000 + close(whole()))
    assert statuses(answer) == [404] * 1000 + [200]


def test_an_offer_with_chunks_and_an_invitation(server):
    head, body = request(fields=b"transfer-encoding: chunked\r\nexpect: 100-continue\r\n" + OFFER)
    with server.connect() as connection:
        connection.sendall(head + b"\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(chunked(body, 7))
        assert read_answer(connection)[0] == 200


def test_a_websocket_is_not_opened(server):
    head = (
        b"GET /v2 HTTP/1.1\r\nhost: x\r\nconnection: close, upgrade\r\nupgrade: websocket\r\n\r\n"
    )
    assert statuses(server.ask(head)) == [200]


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        (OFFER + b"x: " + b"y" * 17_000 + b"\r\ncontent-length: 2\r\n", 431),
        (OFFER + b"content-length: 99999999\r\n", 413),
        (OFFER + b"transfer-encoding: chunked\r\n\r\nxyz", 400),
    ],
)
def test_limits_hold_for_offers(server, wrong, status):
    head = b"POST /v2/models/colours/infer HTTP/1.1\r\nhost: x\r\n"
    assert statuses(server.ask(head + wrong + b"\r\n{}")) == [status]


def test_a_tunnel_is_refused(server):
    answer = server.ask(b"CONNECT example.org:443 HTTP/1.1\r\nhost: example.org\r\n\r\nhello")
    assert statuses(answer) == [405]
