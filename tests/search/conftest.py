"""Sweeps for tests of the search: no photos, no network, jobs of a few lines."""

from __future__ import annotations

import itertools

import pytest
from postgres_server import empty_database, postgres_server

from tlsearch.config.schema import Sweep
from tlsearch.paths import Paths

SPACE = {
    "backbone": [{"name": "MobileNet", "alpha": 0.25}, "MobileNetV2"],
    "strategy": ["feature_extraction", "fine_tune"],
    "unfreeze": {"type": "int", "low": 1, "high": 4, "when": {"strategy": "fine_tune"}},
    "head_learning_rate": {"type": "float", "low": 1e-4, "high": 1e-2, "log": True},
    "learning_rate": {
        "type": "float",
        "low": 1e-5,
        "high": 1e-3,
        "log": True,
        "when": {"strategy": "fine_tune"},
    },
    "augment": ["none", "light", "strong"],
}


@pytest.fixture
def paths(tmp_path) -> Paths:
    made = Paths(tmp_path / "home")
    made.create()
    return made


@pytest.fixture
def make_sweep():
    """A function from sections of a sweep file to the sweep."""

    def make(**sections) -> Sweep:
        plain = {
            "version": 1,
            "name": "tiny",
            "data": {"source": "photos"},
            "space": SPACE,
            "search": {"pruner": "none"},
            "budget": {"trials": 4},
            "execution": {"workers": 1},
        }
        return Sweep.model_validate({**plain, **sections})

    return make


@pytest.fixture(scope="session")
def postgres():
    """A function that makes an empty database on a PostgreSQL server, and gives its address."""
    with postgres_server() as server:
        count = itertools.count()

        def make() -> str:
            return empty_database(server, f"study_{next(count)}")

        yield make
