"""Which store wins, and what of its address may be shown."""

from __future__ import annotations

import os

import pytest

from tlsearch.paths import Paths
from tlsearch.tracking.location import (
    SETTINGS,
    TrackingStore,
    prepare_environment,
    resolve_uri,
)

ENVIRONMENT = "MLFLOW_TRACKING_URI"


@pytest.fixture
def paths(tmp_path, monkeypatch):
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    return Paths(tmp_path)


def test_the_default_is_embedded(paths):
    store = resolve_uri(None, None, paths)
    assert store.uri == f"sqlite:///{paths.mlflow_db}"
    assert store.artifact_root == paths.artifacts.as_uri()


def test_override_then_environment_then_file(paths, monkeypatch):
    assert resolve_uri(None, "http://file:1", paths).uri == "http://file:1"
    monkeypatch.setenv(ENVIRONMENT, "http://environment:2")
    assert resolve_uri(None, "http://file:1", paths).uri == "http://environment:2"
    assert resolve_uri("http://override:3", "http://file:1", paths).uri == "http://override:3"


def test_a_server_places_its_own_artifacts(paths):
    assert resolve_uri("https://mlflow.example.org", None, paths).artifact_root is None
    assert resolve_uri("postgresql://db/mlflow", None, paths).artifact_root is not None


def test_passwords_are_not_shown():
    store = TrackingStore("postgresql://anna:s3cret@db:5432/mlflow")
    assert str(store) == "postgresql://anna:***@db:5432/mlflow"


def test_what_the_user_has_set_stays(monkeypatch):
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "300")
    monkeypatch.delenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION")
    prepare_environment()
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "300"
    assert os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"
