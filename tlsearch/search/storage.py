"""The database that studies live in."""

from __future__ import annotations

import time

import optuna
from optuna.trial import TrialState

from tlsearch.config.schema import Sweep
from tlsearch.errors import SetupError
from tlsearch.paths import Paths


def open_storage(sweep: Sweep, paths: Paths) -> optuna.storages.BaseStorage:
    """The database of studies.

    Raises:
        SetupError: it cannot be reached or opened.
    """
    address = sweep.search.storage or f"sqlite:///{paths.optuna_db}"
    engine = {"connect_args": {"timeout": 60}} if address.startswith("sqlite") else {}
    try:
        return optuna.storages.RDBStorage(address, engine_kwargs=engine)
    except Exception as error:
        raise SetupError(
            "the study's database cannot be opened",
            received=f"{type(error).__name__}: {str(error).splitlines()[0]}",
            expected="an Optuna RDB address in search.storage, or a writable TLSEARCH_HOME",
            hint="check search.storage, or leave it out to use SQLite",
        ) from error


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
