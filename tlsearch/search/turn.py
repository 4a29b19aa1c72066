"""The lock of a study: its supervisors take turns, each for as long as a few queries take.

Whoever holds it may look at the study and change it as if nobody else were there. On SQLite it is
a file beside the database, on PostgreSQL a lock that the server keeps. Both end with their
holder.
"""

from __future__ import annotations

import hashlib
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, final

from tlsearch.store.locks import writing

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

    from tlsearch.search.storage import StudyPlace

ASLEEP = "60s"
"""A holder on PostgreSQL that does nothing for so long has died with its machine, or is stopped:
the server ends its connection, and with it the lock."""


class Turn(ABC):
    """The lock of one study, and the clock that all of its supervisors share."""

    is_remote: bool = False
    """Whether supervisors on several machines can meet here."""

    allows_others: bool = True
    """Whether the study can have several supervisors at all."""

    @abstractmethod
    def hold(self) -> AbstractContextManager[None]:
        """Wait for the lock, and hold it while the block runs. Not twice in one process."""

    @abstractmethod
    def now(self) -> float:
        """Seconds since 1970."""

    @abstractmethod
    def close(self) -> None:
        """Let go of connections."""


class FileTurn(Turn):
    """A lock file; the clock is the machine's."""

    def __init__(self, file: Path) -> None:
        self._file = file

    @final
    def hold(self) -> AbstractContextManager[None]:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        return writing(self._file)

    @final
    def now(self) -> float:
        return time.time()

    @final
    def close(self) -> None:
        pass


@final
class LonelyTurn(FileTurn):
    """For a database whose locks are not known here: one supervisor at a time, in one home."""

    allows_others = False


@final
class PostgresTurn(Turn):
    """An advisory lock, and the server's clock."""

    is_remote = True

    def __init__(self, address: str, name: str) -> None:
        from sqlalchemy import create_engine

        self._engine: Engine = create_engine(address, pool_pre_ping=True)
        digest = hashlib.sha256(f"tlsearch study {name}".encode()).digest()
        self._key = int.from_bytes(digest[:8], signed=True)

    @contextmanager
    def _hold(self) -> Iterator[None]:
        from sqlalchemy import text

        with self._engine.begin() as connection:
            limit = f"SET LOCAL idle_in_transaction_session_timeout = '{ASLEEP}'"
            connection.execute(text(limit))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": self._key})
            yield

    def hold(self) -> AbstractContextManager[None]:
        return self._hold()

    def now(self) -> float:
        from sqlalchemy import text

        with self._engine.connect() as connection:
            found = connection.execute(text("SELECT extract(epoch FROM clock_timestamp())"))
            return float(found.scalar_one())

    def close(self) -> None:
        self._engine.dispose()


def make_turn(place: StudyPlace) -> Turn:
    """The lock that fits the study's database."""
    from sqlalchemy.engine import make_url

    backend = make_url(place.address).get_backend_name()
    file = place.locks / "study.lock"
    if backend == "sqlite":
        return FileTurn(file)
    return PostgresTurn(place.address, place.name) if backend == "postgresql" else LonelyTurn(file)
