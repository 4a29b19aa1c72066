"""One photo to classify on a connection: the short way, whoever then decodes it."""

from __future__ import annotations

import io
import json
import select
import threading

import pytest
from PIL import Image
from running import read_answer, running, statuses, wait_for, write_bundle
from test_http_protocol import chunked, close, whole
from tiny_bundle import LABELS

from serving.http.classify import Query, find_query
from serving.model import ModelOptions
from serving.options import PhotoOptions

PATH = b"/v1/classify"
LIMIT = 300_000
WAYS = {
    "loop": {"model": ModelOptions(workers=0), "photos": PhotoOptions(decoders=1)},
    "workers": {"model": ModelOptions(workers=2), "photos": PhotoOptions(decoders=2)},
    "decoders": {"model": ModelOptions(workers=1), "photos": PhotoOptions(decoders=2)},
}
"""Who decodes a small photo."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_bundle(tmp_path_factory.mktemp("direct") / "bundle")


@pytest.fixture(scope="module", params=WAYS)
def server(folder, request):
    with running(folder, {"body_bytes": LIMIT}, **WAYS[request.param]) as server:
        yield server


def photo(colour="red", kind="JPEG", size=(40, 30)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, colour).save(stream, kind)
    return stream.getvalue()


LARGE = photo("blue", size=(2000, 1500))
"""So many pixels that it is never decoded on the loop; its bytes are few."""


def post(body: bytes, query=b"", fields=b"", path=PATH) -> bytes:
    head = b"POST " + path + query + b" HTTP/1.1\r\nhost: x\r\n" + fields
    return head + b"content-length: %d\r\n\r\n" % len(body) + body


def ask(server, message: bytes) -> tuple[int, dict, dict]:
    """Status, headers and the JSON of one answer."""
    with server.connect() as connection:
        connection.sendall(message)
        status, headers, body = read_answer(connection)
    return status, headers, json.loads(body)


def labels(answer: bytes) -> list[str]:
    """The best label of each answer of a connection."""
    return [
        part.split('"')[0] for part in answer.decode("latin-1").split('"version":"1","label":"')[1:]
    ]


@pytest.mark.parametrize("data", [photo("blue"), photo("blue", "PNG"), LARGE], ids=len)
def test_a_photo(server, data):
    status, headers, answer = ask(server, post(data, b"?top=2"))
    assert (status, headers["content-type"]) == (200, "application/json")
    assert "date" in headers
    best, second = answer.pop("predictions")
    assert answer == {"model": "colours", "version": "1", **best}
    assert best["label"] == "blue"
    assert set(second) == {"label", "probability"}


def test_many_requests_on_one_connection(server):
    with server.connect() as connection:
        for colour in ("red", "blue", "red") * 5:
            connection.sendall(post(photo(colour)))
            status, _, body = read_answer(connection)
            assert (status, json.loads(body)["label"]) == (200, colour)


def test_pipelined_requests_are_answered_in_their_order(server):
    other = b"GET /v2/health/ready HTTP/1.1\r\nhost: x\r\n\r\n"
    parts = [post(LARGE), post(photo()), whole(), post(b"no photo"), other, post(LARGE, b"?top=x")]
    answer = server.ask(b"".join(parts) + close(post(photo())))
    assert statuses(answer) == [200, 200, 200, 415, 200, 400, 200]
    assert labels(answer) == ["blue", "red", "red"]


@pytest.mark.parametrize("size", [1, 100, 100_000])
def test_a_chunked_body(server, size):
    head = b"POST /v1/classify HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
    message = head + b"transfer-encoding: chunked\r\n\r\n" + chunked(photo(), size)
    assert labels(server.ask(message)) == ["red"]


def test_a_client_that_waits_to_be_invited(server):
    message = post(photo(), fields=b"expect: 100-continue\r\n")
    head, body = message.split(b"\r\n\r\n", 1)
    with server.connect() as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert read_answer(connection)[0] == 200


@pytest.mark.parametrize(
    ("message", "status", "words"),
    [
        (post(b""), 400, "empty"),
        (post(b"no photo"), 415, "JPEG, PNG, WEBP"),
        (post(photo(kind="GIF")), 415, "JPEG, PNG, WEBP"),
        (post(photo()[:-30]), 422, ""),
        (post(LARGE[:-300]), 422, "truncated"),
        (post(photo(kind="PNG", size=(8000, 8000))), 422, "50,000,000"),
        (post(bytes(LIMIT + 1)), 413, "300,000"),
        (post(photo(), b"?top=0"), 400, "top"),
        (post(photo(), b"?model=absent"), 404, "no model 'absent'"),
        (post(photo(), b"?model=absent&top=0"), 404, "no model 'absent'"),
        (post(photo(), fields=b"content-encoding: gzip\r\n"), 415, "Content-Encoding"),
    ],
)
def test_what_is_refused(server, message, status, words):
    given, headers, answer = ask(server, message)
    assert (given, answer["status"]) == (status, status)
    assert headers["content-type"] == "application/problem+json"
    assert words in answer["detail"]


def test_a_refusal_leaves_the_connection_usable(server):
    with server.connect() as connection:
        for message in (post(b"no photo"), post(photo(), b"?top=x"), post(LARGE[:-300])):
            connection.sendall(message)
            assert read_answer(connection)[0] >= 400
        connection.sendall(post(photo()))
        assert read_answer(connection)[0] == 200
    wait_for(lambda: server.front.held == 0)


@pytest.mark.parametrize(
    ("query", "count"),
    [(b"?top=1&top=2", 2), (b"?model=colours&top=1", 1), (b"?model=&x=y", 3), (b"?top=%32", 2)],
)
def test_queries(server, query, count):
    status, _, answer = ask(server, post(photo(), query))
    assert status == 200
    assert len(answer["predictions"]) == count


def test_a_form_goes_the_long_way(server):
    part = b'--x\r\ncontent-disposition: form-data; name="a"; filename="a.jpg"\r\n\r\n'
    body = part + photo() + b"\r\n" + part + LARGE + b"\r\n--x--\r\n"
    kind = b"content-type: Multipart/Form-Data; boundary=x\r\n"
    status, _, answer = ask(server, post(body, fields=kind))
    assert status == 200
    assert [row["label"] for row in answer["photos"]] == ["red", "blue"]


def test_both_ways_say_the_same(server):
    part = b'--x\r\ncontent-disposition: form-data; name="a"; filename="a.jpg"\r\n\r\n'
    body = part + photo("lime") + b"\r\n--x--\r\n"
    form = post(body, b"?top=2", b"content-type: multipart/form-data; boundary=x\r\n")
    _, _, several = ask(server, form)
    _, _, single = ask(server, post(photo("lime"), b"?top=2"))
    (row,) = several.pop("photos")
    assert {**several, **row} == {**single, "name": "a.jpg"}


@pytest.mark.parametrize(("given", "status"), [(None, 401), (b"wrong", 401), (b"s3cret", 200)])
def test_a_token(folder, given, status):
    line = b"" if given is None else b"authorization: Bearer " + given + b"\r\n"
    with running(folder, token="s3cret") as server:
        assert statuses(server.ask(close(post(photo(), fields=line)))) == [status]
        said = server.server.models.get("colours").observations.counts().requests
        assert sum(said.values()) == (status == 200)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("data", [photo(), LARGE], ids=["small", "large"])
def test_a_photo_whose_deadline_passed_is_not_decoded(folder, way, data):
    with running(folder, deadline=0.0, **WAYS[way]) as server:
        status, _, answer = ask(server, post(data))
        assert (status, answer["title"]) == (504, "Expired")
        counts = server.server.models.get("colours").observations.counts()
        assert counts.requests["expired"] == 1
        assert counts.decode.buckets()[-1] == ("+Inf", 0)


@pytest.mark.parametrize("way", WAYS)
def test_accepted_photos_are_answered_though_the_server_ends(folder, way):
    bodies = [photo("red"), LARGE, photo("blue")] * 4
    with running(folder, **WAYS[way]) as server:
        connections = [server.connect() for _ in bodies]
        for connection, body in zip(connections, bodies, strict=True):
            connection.sendall(post(body))
        wait_for(lambda: server.server.server_state.total_requests)
        wait_for(lambda: len(server.server.server_state.connections) == len(bodies))
        ending = threading.Thread(target=server.stop)
        ending.start()
        given = [json.loads(read_answer(connection)[2])["label"] for connection in connections]
        ending.join()
        for connection in connections:
            connection.close()
    assert given == ["red", "blue", "blue"] * 4


@pytest.mark.parametrize("way", WAYS)
def test_small_photos_are_answered_while_a_large_one_is_decoded(folder, way):
    huge = photo(size=(6000, 4000))
    with running(folder, deadline=None, **WAYS[way]) as server, server.connect(100) as patient:
        patient.sendall(post(huge))
        status, _, _ = ask(server, post(photo()))
        assert status == 200
        assert not select.select([patient], [], [], 0)[0]
        assert read_answer(patient)[0] == 200


def test_clients_that_leave_before_the_answer(server):
    for body in (photo(), LARGE) * 10:
        with server.connect() as connection:
            connection.sendall(post(body))
    wait_for(lambda: not server.server.server_state.connections)
    assert labels(server.ask(close(post(photo())))) == ["red"]
    wait_for(lambda: server.front.held == 0)


@pytest.mark.parametrize(
    ("url", "query"),
    [
        (b"/v1/classify", Query(None, None)),
        (b"/v1/classify?", Query(None, None)),
        (b"/v1/classify?top=3&model=a", Query("a", "3")),
        (b"/v1/classify?model=a%20b+c", Query("a b c", None)),
        (b"/v1/classify?model=%C3%BC&top=", Query("ü", "")),
        (b"/v1/%63lassify", Query(None, None)),
        (b"http://example.org/v1/classify?top=1", Query(None, "1")),
        (b"/v1/classify/", None),
        (b"/v1/classify/x", None),
        (b"/V1/classify", None),
        (b"/", None),
        (b"*", None),
        (b"//[", None),
    ],
)
def test_addresses(url, query):
    assert find_query(url) == query


def test_labels_need_no_care(tmp_path):
    odd = ['a "quote"', "back\\slash {0} %s", "grün 🌷"]
    with running(write_bundle(tmp_path / "odd", labels=odd)) as server:
        status, _, answer = ask(server, post(photo(), b"?top=3"))
    assert status == 200
    assert sorted(row["label"] for row in answer["predictions"]) == sorted(odd)
    assert len(odd) == len(LABELS)
