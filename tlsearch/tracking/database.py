"""MLflow's SQLite database, made under another name: MLflow itself goes through dozens of
migrations that are no one transaction, and opens no database that is left in the midst of them."""

from __future__ import annotations

import secrets
from pathlib import Path

from tlsearch.files import keep

_UNFINISHED = ".making"


def make_database(uri: str) -> None:
    """Make the database of an SQLite address unless it is there; whole or not at all.

    One process at a time. Other addresses are left alone.
    """
    from mlflow import MlflowClient
    from sqlalchemy.engine import make_url

    address = make_url(uri)
    if address.get_backend_name() != "sqlite" or address.database in (None, "", ":memory:"):
        return
    file = Path(str(address.database))
    # SQLite makes an empty file of what it is only asked to look at.
    if file.is_file() and file.stat().st_size:
        return
    _remove_unfinished(file)
    # Never the same name again: MLflow remembers connections by addresses.
    made = file.with_name(f"{file.name}.{secrets.token_hex(4)}{_UNFINISHED}")
    try:
        MlflowClient(tracking_uri=f"sqlite:///{made}").search_experiments(max_results=1)
        keep(made, file)
    finally:
        _remove_unfinished(file)


def _remove_unfinished(file: Path) -> None:
    for left in file.parent.glob(f"{file.name}.*{_UNFINISHED}*"):
        left.unlink(missing_ok=True)
