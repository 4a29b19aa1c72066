"""One embedded store for all tests of this folder: making it takes seconds."""

from __future__ import annotations

import pytest

from tlsearch.paths import Paths
from tlsearch.tracking.location import resolve_uri
from tlsearch.tracking.mlflow_tracker import MLflowTracker


@pytest.fixture(scope="session")
def embedded(tmp_path_factory):
    """The store under a fresh TLSEARCH_HOME, whatever this machine's environment says."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield resolve_uri(None, None, Paths(tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="session")
def tracker(embedded):
    return MLflowTracker.open_early(embedded).result()


@pytest.fixture(scope="session")
def client(tracker):
    """MLflow's own view of what the tracker wrote."""
    from mlflow import MlflowClient

    return MlflowClient(tracker.store.uri, tracker.store.uri)
