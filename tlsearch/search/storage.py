"""The database that studies live in, and the lock under which supervisors share one."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState
from sqlalchemy.exc import OperationalError

from tlsearch.causes import with_causes
from tlsearch.config.schema import Sweep
from tlsearch.disk import is_disk_full, is_disk_locked
from tlsearch.errors import SetupError
from tlsearch.paths import Paths
from tlsearch.redaction import redact_error

if TYPE_CHECKING:
    from tlsearch.search.turn import Turn


VARIABLE = "TLSEARCH_STORAGE"

LOST = (OperationalError, StorageInternalError)
"""What SQLAlchemy and Optuna raise over a database that does not answer."""


@dataclass(frozen=True)
class StudyPlace:
    """Where a sweep's study lives.

    Attributes:
        address: of the database, for SQLAlchemy.
        locks: the folder in which everybody who uses the same SQLite file, or with another
            database everybody in the same home, finds the same lock files.
    """

    name: str
    address: str
    locks: Path

    @classmethod
    def of(cls, sweep: Sweep, paths: Paths) -> StudyPlace:
        """Of a sweep.

        Raises:
            SetupError: `search.storage` is no address.
        """
        here = paths.sweep(sweep.name).folder / "locks"
        # A sweep that was not loaded from a file has not seen the environment yet.
        given = sweep.search.storage or os.environ.get(VARIABLE)
        if not given:
            return cls(sweep.name, embedded(paths), here)
        file = _sqlite_file(given)
        shared = file.with_name(f"{file.name}.locks") / sweep.name if file else here
        return cls(sweep.name, given, shared)

    @property
    def is_sqlite(self) -> bool:
        return self.address.startswith("sqlite")

    def open(self) -> optuna.storages.RDBStorage:
        """The database, whose tables are made if there are none. Not for two at the same time.

        Raises:
            SetupError: it cannot be reached or opened.
        """
        # A server that was away for a moment has closed the connections that are kept.
        patient = {"connect_args": {"timeout": 60}}
        engine = patient if self.is_sqlite else {"pool_pre_ping": True}
        with translate_errors():
            return optuna.storages.RDBStorage(self.address, engine_kwargs=engine)

    def turn(self) -> Turn:
        """The lock of the study.

        Raises:
            SetupError: the database cannot be reached.
        """
        from tlsearch.search.turn import make_turn

        with translate_errors():
            return make_turn(self)


def embedded(paths: Paths) -> str:
    """The address of the database that a sweep has if it names none."""
    return f"sqlite:///{paths.optuna_db}"


@contextmanager
def translate_errors() -> Iterator[None]:
    """Whatever goes wrong on the way to the database becomes a SetupError."""
    try:
        yield
    except SetupError:
        raise
    # SQLAlchemy, a driver, or a missing driver: their errors have no common root.
    except Exception as error:
        driver = isinstance(error, ModuleNotFoundError)
        raise SetupError(
            "the study's database cannot be opened",
            received=f"{type(error).__name__}: {str(error).splitlines()[0]}",
            expected="an Optuna RDB address in search.storage, or a writable TLSEARCH_HOME",
            hint=_DRIVER if driver else _ADDRESS,
        ) from redact_error(error)


@contextmanager
def explain_loss(command: str) -> Iterator[None]:
    """Turn an error of a database that was opened, and does not answer now, into a SetupError.

    Full and read-only disks are left to `explain_disk`, which has better words for them.

    Args:
        command: what the user would type to continue.
    """
    try:
        yield
    except LOST as error:
        if is_disk_full(error) or is_disk_locked(error):
            raise
        *_, cause = (one for one in with_causes(error) if isinstance(one, LOST))
        said, *_ = str(cause).strip().partition("\n")
        raise SetupError(
            "the study's database does not answer any more; what was finished is kept",
            received=f"{type(cause).__name__}: {said}",
            expected="a database that answers until the sweep is over",
            hint=f"once it does, run the same command again: it continues: {command}",
        ) from redact_error(error)


_ADDRESS = "check search.storage or TLSEARCH_STORAGE, or leave both out to use SQLite"
_DRIVER = "install the database's driver; for PostgreSQL: pip install 'tlsearch[postgresql]'"


def _sqlite_file(address: str) -> Path | None:
    from sqlalchemy.engine import make_url

    with translate_errors():
        url = make_url(address)
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database)).absolute()


def set_aside(name: str, storage: optuna.storages.BaseStorage) -> None:
    """Copy the study of this name, if there is one, to another name, and delete it."""
    if name not in optuna.study.get_all_study_names(storage):
        return
    old = optuna.load_study(study_name=name, storage=storage)
    for trial in old.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        old.tell(trial.number, state=TrialState.FAIL)
    archived = f"{name} until {time.strftime('%Y-%m-%d %H:%M:%S')}"
    optuna.copy_study(
        from_study_name=name, from_storage=storage, to_storage=storage, to_study_name=archived
    )
    optuna.delete_study(study_name=name, storage=storage)
