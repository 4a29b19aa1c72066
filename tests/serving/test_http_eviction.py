"""As many connections as there may be: who idles gives way to who asks."""

from __future__ import annotations

import socket
from contextlib import ExitStack, contextmanager

import pytest
from running import read_all, read_answer, running, statuses, wait_for, write_bundle
from test_http_protocol import close, whole

from serving.http.eviction import FRESH_SECONDS

LIMITS = {"connections": 6, "reserve": 2}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = write_bundle(tmp_path_factory.mktemp("eviction") / "bundle")
    with running(folder, LIMITS) as server:
        yield server


@contextmanager
def connections(server, count):
    """So many that have said nothing yet; all are gone afterwards."""
    with ExitStack() as stack:
        yield [stack.enter_context(server.connect()) for _ in range(count)]
    wait_for(lambda: not server.front._watched)


def wait_until_idle(server, count):
    """Until so many connections have idled for long enough to give way."""

    def are_idle():
        now = server.server._loop.time()
        known = list(server.front._watched)
        return sum(one.idle_since < now - FRESH_SECONDS for one in known) == count

    wait_for(are_idle)


def is_open(connection) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    finally:
        connection.settimeout(20)


def ask(server, connection=None) -> list[int]:
    if connection is None:
        return statuses(server.ask(close(whole())))
    connection.sendall(whole())
    return [read_answer(connection)[0]]


def test_the_one_that_idled_longest_gives_way(server):
    with connections(server, 6) as idle:
        for connection in idle[2:]:
            assert ask(server, connection) == [200]
        wait_until_idle(server, 6)
        assert ask(server, idle[0]) == [200]
        assert ask(server) == [200]
        assert [is_open(one) for one in idle] == [True, False, True, True, True, True]


def test_everybody_who_asks_gets_in(server):
    with connections(server, 6) as idle:
        wait_until_idle(server, 6)
        with ExitStack() as stack:
            healthy = [stack.enter_context(server.connect()) for _ in range(6)]
            assert [ask(server, one) for one in healthy] == [[200]] * 6
            assert not any(map(is_open, idle))
            assert [ask(server, one) for one in healthy] == [[200]] * 6


def test_a_request_that_has_begun_is_not_cut_off(server):
    message = whole()
    with connections(server, 6) as busy:
        for connection in busy:
            connection.sendall(message[:-1])
        assert ask(server) == [503]
        for connection in busy:
            connection.sendall(message[-1:])
            assert read_answer(connection)[0] == 200


def test_nobody_gives_way_who_was_answered_just_now(server):
    with connections(server, 6) as fresh:
        while True:  # until the whole of it took less than a fresh connection has
            start = server.server._loop.time()
            assert all(ask(server, one) == [200] for one in fresh)
            told = ask(server)
            if server.server._loop.time() - start < FRESH_SECONDS:
                break
        assert told == [503]
        assert all(map(is_open, fresh))


def test_beyond_the_reserve_nobody_waits(server):
    with connections(server, 6) as busy:
        for connection in busy:
            connection.sendall(whole()[:-1])
        wait_for(lambda: sum(one._receiving for one in list(server.front._watched)) == 6)
        with ExitStack() as stack:
            reserve = [stack.enter_context(server.connect()) for _ in range(2)]
            with server.connect() as one_more:
                one_more.shutdown(socket.SHUT_WR)
                assert statuses(read_all(one_more)) == [503]
            assert all(map(is_open, reserve))
