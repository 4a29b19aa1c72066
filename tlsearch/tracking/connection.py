"""The way to an MLflow store: opening it without long waits, and telling its errors."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from tlsearch.disk import is_disk_full
from tlsearch.errors import TlsearchError
from tlsearch.redaction import redact_error
from tlsearch.tracking.database import make_database
from tlsearch.tracking.location import SQLITE, TrackingStore, prepare_environment
from tlsearch.tracking.tracker import EntryRefused, StoreUnreachable, TrackingError

if TYPE_CHECKING:
    from mlflow import MlflowClient


_LATER = {408, 429, 499}
"""HTTP's too slow, too many, given up."""

_NOT_NOW = {401, 403}
"""No leave: not to be had by leaving this one call out."""


def connect(store: TrackingStore) -> MlflowClient:
    """A client of the store, which has answered once.

    Takes seconds the first time: MLflow is imported and an absent database is made.

    Raises:
        TrackingError: the store does not answer, or not in the way MLflow does.
    """
    prepare_environment()
    # It prints a traceback of each error that it raises as well.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    with translate_errors(store), _alone(store):
        if not store.is_server:
            make_database(store.uri)
            _look_at_database(store.uri)
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=store.uri, registry_uri=store.uri)
        client.search_experiments(max_results=1)
    return client


@contextmanager
def translate_errors(store: TrackingStore) -> Iterator[None]:
    """Whatever goes wrong on the way to the store becomes a TrackingError."""
    try:
        yield
    except TlsearchError:
        raise
    # A store is MLflow, a database driver, an HTTP client and an object store's library:
    # their errors have no common root.
    except Exception as error:
        raise _class_of(error, store)(
            f"MLflow at {store} failed",
            received=_describe(error),
            **_advice(error),
        ) from redact_error(error)


def _describe(error: BaseException) -> str:
    """The first line of the error, or of the system's own one where that is the reason."""
    root = error
    while root.__context__ is not None:
        root = root.__context__
    told = root if isinstance(root, OSError) else error
    lines = str(told).strip().splitlines() or ["no message"]
    return f"{type(told).__name__}: {lines[0][:300]}"


def _class_of(error: Exception, store: TrackingStore) -> type[TrackingError]:
    """What the error says of the store: it is away, it refuses this one call, or it is no store."""
    import requests
    from sqlalchemy.exc import OperationalError

    chain = list(_and_its_causes(error))
    if any(isinstance(one, requests.ConnectionError | requests.Timeout) for one in chain):
        return StoreUnreachable
    if any(isinstance(one, OperationalError) for one in chain):
        # SQLite says so of what is no database, or may not be written, as of what is locked.
        busy = "locked" in str(error) or not store.uri.startswith(SQLITE)
        return StoreUnreachable if busy else TrackingError
    status = _status_of(error)
    if store.is_server and (status >= 500 or status in _LATER):
        return StoreUnreachable
    return EntryRefused if 400 <= status < 500 and status not in _NOT_NOW else TrackingError


def _status_of(error: Exception) -> int:
    """HTTP's status; 0 where the error has nothing like it."""
    import requests
    from mlflow.exceptions import MlflowException

    if isinstance(error, MlflowException):
        return error.get_http_status_code()
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return error.response.status_code
    return 0


def _and_its_causes(error: BaseException) -> Iterator[BaseException]:
    one: BaseException | None = error
    while one is not None:
        yield one
        one = one.__cause__ or one.__context__


def _advice(error: Exception) -> dict[str, str]:
    """What would be right, and what to do about it."""
    if is_disk_full(error):
        return {
            "expected": "room for what MLflow keeps",
            "hint": "free some space; what it has missed is told to it later",
        }
    if isinstance(error, ModuleNotFoundError):
        hint = f"the database's driver is missing: pip install {error.name}"
    else:
        hint = "start that server, or name another one: tracking.uri=... on the command line"
    return {
        "expected": "an MLflow server that answers, or a database that MLflow 3 can use",
        "hint": hint,
    }


def _alone(store: TrackingStore) -> AbstractContextManager[object]:
    """Two processes that make the same SQLite database at once would spoil it."""
    from filelock import FileLock

    if not store.uri.startswith(SQLITE):
        return nullcontext()
    database = Path(store.uri.removeprefix(SQLITE))
    database.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(f"{database}.lock")


def _look_at_database(uri: str) -> None:
    """Ask the database for its tables first: MLflow itself retries for 100 seconds."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(uri)
    try:
        sqlalchemy.inspect(engine).get_table_names()
    finally:
        engine.dispose()
