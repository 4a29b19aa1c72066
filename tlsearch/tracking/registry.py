"""The champion in MLflow's model registry: an MLflow ONNX model with its whole bundle inside.

A version's files never change, so whoever fetches version 3 gets one bundle, whatever the alias
points to by then. MLflow's own loaders find their `model.onnx` beside `bundle/`.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tlsearch.export.checksums import CHECKSUMS_FILE, verify_checksums
from tlsearch.export.golden import read_golden

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run
    from mlflow.models import ModelSignature
    from mlflow.types import TensorSpec
    from onnx import ModelProto, ValueInfoProto

ALIAS = "champion"
MODEL_FILE = "model.onnx"
BUNDLE_FOLDER = "bundle"
DIGEST_TAG = "tlsearch.bundle_sha256"
"""Of SHA256SUMS, which stands for every file of the bundle."""


def register_bundle(
    client: MlflowClient, run_id: str, bundle: Path, name: str, tags: Mapping[str, str]
) -> str:
    """Log the bundle, register its model and make it the champion; the version's number.

    A bundle that this run has registered before keeps its version.

    Raises:
        BundleError: the folder holds no whole bundle.
    """
    verify_checksums(bundle)
    digest = _digest(bundle / CHECKSUMS_FILE)
    client.log_artifacts(run_id, str(bundle), BUNDLE_FOLDER)
    version = _registered(client, run_id, name, digest)
    if version is None:
        run = client.get_run(run_id)
        model = _find_model(client, run, name, digest) or _log_model(client, run, bundle, name)
        version = _create_version(client, name, model, {**tags, DIGEST_TAG: digest})
    # Last, so that whoever loads the champion never finds half of it.
    client.set_registered_model_alias(name, ALIAS, version)
    return version


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _registered(client: MlflowClient, run_id: str, name: str, digest: str) -> str | None:
    query = f"name = '{name}' and run_id = '{run_id}'"
    versions = client.search_model_versions(query)
    same = [found.version for found in versions if found.tags.get(DIGEST_TAG) == digest]
    return str(max(same, key=int)) if same else None


def _create_version(
    client: MlflowClient, name: str, model: LoggedModel, tags: Mapping[str, str]
) -> str:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    with _named_by_environment(client.tracking_uri):
        version = client.create_model_version(
            name,
            f"models:/{model.model_id}",
            run_id=model.source_run_id,
            tags=dict(tags),
            model_id=model.model_id,
        )
    return str(version.version)


@contextmanager
def _named_by_environment(uri: str) -> Iterator[None]:
    """MLflow looks up `models:/<id>` at the process-wide address, not at the client's."""
    before = os.environ.get("MLFLOW_TRACKING_URI")
    os.environ["MLFLOW_TRACKING_URI"] = uri
    try:
        yield
    finally:
        if before is None:
            del os.environ["MLFLOW_TRACKING_URI"]
        else:
            os.environ["MLFLOW_TRACKING_URI"] = before


def _find_model(client: MlflowClient, run: Run, name: str, digest: str) -> LoggedModel | None:
    """The model that was logged of this bundle before its registration was cut short.

    One whose own logging was cut short is deleted.
    """
    made = f"source_run_id = '{run.info.run_id}' AND name = '{name}'"
    query = f"{made} AND tags.`{DIGEST_TAG}` = '{digest}'"
    found = client.search_logged_models([run.info.experiment_id], query)
    whole = [model for model in found if model.status == "READY"]
    for model in found:
        if model not in whole:
            client.delete_logged_model(model.model_id)
    return whole[0] if whole else None


def _log_model(client: MlflowClient, run: Run, bundle: Path, name: str) -> LoggedModel:
    """Log an MLflow 3 model of the run, with the run's parameters and last metrics."""
    from mlflow.entities import LoggedModelOutput

    model = client.create_logged_model(
        run.info.experiment_id,
        name=name,
        source_run_id=run.info.run_id,
        tags={DIGEST_TAG: _digest(bundle / CHECKSUMS_FILE)},
        params=run.data.params,
        model_type="classifier",
    )
    client.log_outputs(run.info.run_id, [LoggedModelOutput(model.model_id, step=0)])
    try:
        _upload(client, model, bundle)
        _copy_metrics(client, run, model)
    except BaseException:
        client.finalize_logged_model(model.model_id, "FAILED")
        raise
    return client.finalize_logged_model(model.model_id, "READY")


def _upload(client: MlflowClient, model: LoggedModel, bundle: Path) -> None:
    import mlflow.onnx
    import onnx
    from mlflow.models import Model

    proto = onnx.load(bundle / MODEL_FILE)
    card = Model(
        artifact_path=model.artifact_location,
        run_id=model.source_run_id,
        model_uuid=model.model_id,
        model_id=model.model_id,
    )
    with tempfile.TemporaryDirectory() as folder:
        target = str(Path(folder, "model"))
        mlflow.onnx.save_model(
            proto,
            target,
            mlflow_model=card,
            signature=read_signature(proto),
            input_example=read_golden(bundle).images[:1],
            # Named, because MLflow finds them out by running the model in a new process.
            pip_requirements=_requirements(),
            save_as_external_data=False,
        )
        shutil.copytree(bundle, Path(target, BUNDLE_FOLDER))
        client.log_model_artifacts(model.model_id, target)


def _copy_metrics(client: MlflowClient, run: Run, model: LoggedModel) -> None:
    from mlflow.entities import Metric

    histories = (client.get_metric_history(run.info.run_id, key) for key in run.data.metrics)
    # With its own time and step each point is the one that the run has already.
    points = [
        Metric(point.key, point.value, point.timestamp, point.step, model_id=model.model_id)
        for *_, point in histories
    ]
    client.log_batch(run.info.run_id, metrics=points)


def read_signature(model: ModelProto) -> ModelSignature:
    """The MLflow signature of an ONNX model; a dimension without a number is -1."""
    from mlflow.models import ModelSignature
    from mlflow.types import Schema

    inputs = Schema([_tensor(value) for value in model.graph.input])
    outputs = Schema([_tensor(value) for value in model.graph.output])
    return ModelSignature(inputs=inputs, outputs=outputs)


def _tensor(value: ValueInfoProto) -> TensorSpec:
    import onnx
    from mlflow.types import TensorSpec

    kind = value.type.tensor_type
    shape = tuple(size.dim_value or -1 for size in kind.shape.dim)
    return TensorSpec(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type), shape, value.name)


def _requirements() -> list[str]:
    installed = {found.metadata["Name"] for found in importlib.metadata.distributions()}
    runtime = "onnxruntime" if "onnxruntime" in installed else "onnxruntime-gpu"
    names = ("mlflow", "numpy", "onnx", runtime)
    return [f"{name}=={importlib.metadata.version(name)}" for name in names]
