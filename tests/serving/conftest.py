"""`make_bundle` writes a whole real bundle."""

from __future__ import annotations

import sys
from pathlib import Path

import onnx
import pytest

# pytest puts tests/ on the path, where this very folder would pass for the package `serving`.
sys.path.insert(0, str(Path(__file__).parents[2]))

from tiny_bundle import golden_of, manifest, tiny_model

from tlsearch.export.checksums import write_checksums
from tlsearch.export.golden import write_golden


@pytest.fixture
def make_bundle():
    """A function that writes a bundle into a folder; `change` may spoil its golden samples."""

    def make(folder: Path, change=lambda golden: golden, model=None, **changes) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        onnx.save(tiny_model(), folder / "model.onnx")
        write_golden(folder, change(golden_of(folder)))
        if model is not None:
            onnx.save(model, folder / "model.onnx")
        (folder / "MODEL_CARD.md").write_text("# colours\n")
        manifest(**changes).write(folder)
        write_checksums(folder)
        return folder

    return make


@pytest.fixture
def bundle_folder(make_bundle, tmp_path) -> Path:
    return make_bundle(tmp_path / "bundle")


@pytest.fixture(scope="session")
def mlflow_proxied(tmp_path_factory):
    """An MLflow server as it runs by itself; shared, because it takes seconds to start."""
    from mlflow_registry import mlflow_server

    with mlflow_server(tmp_path_factory.mktemp("proxied")) as server:
        yield server


@pytest.fixture(scope="session")
def registrar(mlflow_proxied):
    """What registers bundles there."""
    from mlflow_registry import Registrar

    return Registrar(mlflow_proxied.uri)
