"""Parameters, tags, metrics and the dataset in the form and within the limits MLflow has.

mlflow is imported inside the functions that make its objects.
"""

from __future__ import annotations

import importlib.metadata
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tlsearch.tracking.tracker import DatasetSummary

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, Metric, Param, RunTag

LONGEST_PARAMETER = 6000
LONGEST_TAG = 8000
SHOWN_DIGEST = 12
"""MLflow keeps up to 36 characters and shows all it has; the tag has the whole digest."""
BATCH = 100
"""How many parameters or tags one call may carry."""
MANY = 800
"""How many metrics one call carries; MLflow takes up to 1,000, with the tags."""

LIBRARIES = ("tlsearch", "keras", "tensorflow", "optuna", "mlflow", "onnx", "numpy")


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested mappings as `outer.inner` names; every value as text, None as `none`."""
    return {
        name: cut("none" if value is None else str(value))
        for name, value in name_nested(values, prefix).items()
    }


def name_nested(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as `outer.inner` names, the way overrides spell them; values as they are."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= name_nested(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def cut(text: str, limit: int = LONGEST_PARAMETER) -> str:
    """The text, or its beginning and a remark on how long it was."""
    if len(text) <= limit:
        return text
    remark = f" ... (cut: {len(text)} characters)"
    return text[: limit - len(remark)] + remark


def in_batches(values: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The values in portions that one MLflow call may carry."""
    items = list(values.items())
    for start in range(0, len(items), BATCH):
        yield dict(items[start : start + BATCH])


def make_params(values: Mapping[str, str]) -> list[Param]:
    from mlflow.entities import Param

    return [Param(key, value) for key, value in values.items()]


def make_tags(values: Mapping[str, str]) -> list[RunTag]:
    from mlflow.entities import RunTag

    return [RunTag(key, cut(str(value), LONGEST_TAG)) for key, value in values.items()]


def make_metrics(
    values: Mapping[str, float], step: int = 0, timestamp: float | None = None
) -> list[Metric]:
    """MLflow metrics at a step; `timestamp` in seconds since 1970, now if it is left out."""
    from mlflow.entities import Metric

    moment = round((time.time() if timestamp is None else timestamp) * 1000)
    return [Metric(key, float(value), moment, step) for key, value in values.items()]


def portions(metrics: Sequence[Metric]) -> list[Sequence[Metric]]:
    """The metrics in portions that one MLflow call may carry: at least one, be it empty."""
    return [metrics[start : start + MANY] for start in range(0, max(len(metrics), 1), MANY)]


def make_dataset(summary: DatasetSummary) -> DatasetInput:
    """The photos as an MLflow dataset: its page shows the counts by split and class."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    totals = {split: sum(classes.values()) for split, classes in summary.counts.items()}
    names = sorted({name for classes in summary.counts.values() for name in classes})
    remote = "://" in summary.source
    source = {"url" if remote else "uri": summary.source}
    profile = {"photos": totals, "classes": len(names), "photos_by_class": summary.counts}
    dataset = Dataset(
        name=summary.name,
        digest=summary.digest[:SHOWN_DIGEST],
        source_type="http" if remote else "local",
        source=json.dumps(source),
        schema=json.dumps({"classes": names}),
        profile=json.dumps(profile),
    )
    return DatasetInput(dataset, tags=[InputTag("mlflow.data.context", "training")])


def library_versions() -> dict[str, str]:
    """A tag for each library whose version may change a result."""
    found = {}
    for name in LIBRARIES:
        try:
            found[f"version.{name}"] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
