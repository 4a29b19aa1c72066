"""The study's database: a server that was away for a moment, and one that is lost."""

from __future__ import annotations

import sqlite3

import pytest
from claimant import make_sweep
from optuna.exceptions import StorageInternalError

from tlsearch.errors import SetupError
from tlsearch.search.run import run
from tlsearch.search.storage import explain_loss
from tlsearch.search.study import SweepStudy

END = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s"


class Server:
    """That of one empty database."""

    def __init__(self, address):
        self.address = address
        self._server, _, self._name = address.replace("+psycopg", "").rpartition("/")

    def hang_up(self):
        """Close every connection to the database."""
        self._execute(END, [self._name])

    def refuse(self):
        """Take no connections to the database any more, and close those that there are."""
        self._execute(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS false")
        self.hang_up()

    def _execute(self, statement, values=None):
        import psycopg

        with psycopg.connect(f"{self._server}/postgres", autocommit=True) as connection:
            connection.execute(statement, values)


@pytest.fixture
def server(postgres):
    return Server(postgres())


@pytest.fixture
def sweep(server):
    return make_sweep(server.address, 4, enqueue=[])


def test_a_server_that_has_hung_up_is_called_again(server, sweep, paths):
    with SweepStudy.open(sweep, paths) as study:
        assert study.claim().number == 0
        server.hang_up()
        assert study.claim().number == 1


def test_a_database_that_is_lost_ends_the_sweep_with_what_to_type(server, sweep, paths):
    with pytest.raises(SetupError, match="does not answer any more") as caught:
        run(sweep, paths=paths, notify=lambda notice: server.refuse(), command="tlsearch run S")
    assert caught.value.exit_code == 3
    assert "not currently accepting connections" in caught.value.received
    assert "it continues: tlsearch run S" in caught.value.hint
    assert list(paths.home.rglob("*.alive")) == []


@pytest.mark.parametrize(
    "words", ["database or disk is full", "attempt to write a readonly database"]
)
def test_disks_are_left_to_better_words(words):
    with pytest.raises(StorageInternalError), explain_loss("tlsearch run S"):
        raise StorageInternalError("in the commit") from sqlite3.OperationalError(words)


def test_a_password_is_not_told():
    with pytest.raises(SetupError) as caught, explain_loss("tlsearch run S"):
        raise StorageInternalError("postgresql://anna:secret@db/x is away")
    assert "secret" not in str(caught.value)
    assert "secret" not in str(caught.value.__cause__)
