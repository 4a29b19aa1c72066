"""Where runs are logged, and how this process talks to MLflow there.

Nothing here imports mlflow: `prepare_environment` has to run before that does.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from tlsearch.paths import Paths
from tlsearch.redaction import redact

SQLITE = "sqlite:///"

SETTINGS = {
    # It prints addresses of runs on stdout, which belongs to results.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # A dead server costs about a second when it refuses, and at most two of these timeouts.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    # Loading a pickle runs whatever its author put into it; tlsearch needs none.
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    # The log lines of MLflow and of its database migrations are no news to a user of tlsearch.
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""What `mlruns_config/embedded.env` explains; a value that the user has set wins."""


@dataclass(frozen=True)
class TrackingStore:
    """An MLflow store: `uri`, and where new experiments put their files.

    `artifact_root` is None where the server decides that.
    """

    uri: str
    artifact_root: str | None = None

    @property
    def is_server(self) -> bool:
        """Whether somebody else runs the server, so that it has a UI already."""
        return self.uri.startswith(("http://", "https://", "databricks"))

    def __str__(self) -> str:
        return redact(self.uri)


def resolve_uri(override: str | None, yaml_value: str | None, paths: Paths) -> TrackingStore:
    """The store that wins: override, MLFLOW_TRACKING_URI, sweep file, embedded SQLite."""
    given = override or os.environ.get("MLFLOW_TRACKING_URI") or yaml_value
    if given and TrackingStore(given).is_server:
        return TrackingStore(given)
    return TrackingStore(given, paths.artifacts.as_uri()) if given else embedded(paths)


def embedded(paths: Paths) -> TrackingStore:
    """The store in the home."""
    return TrackingStore(f"{SQLITE}{paths.mlflow_db}", paths.artifacts.as_uri())


def prepare_environment() -> None:
    """Set what MLflow reads from the environment, unless the user has set it."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
