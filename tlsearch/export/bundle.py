"""Writing a bundle: all of its files into a temporary folder, which then takes its name."""

from __future__ import annotations

import importlib.metadata
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tlsearch.data.photo import RESIZE_RULE
from tlsearch.errors import UsageError
from tlsearch.export.card import model_card
from tlsearch.export.golden import Golden, write_golden
from tlsearch.export.manifest import (
    MANIFEST_FILE,
    MODEL_FILE,
    Manifest,
    Metrics,
    Run,
    Score,
    Variant,
    write_checksums,
)
from tlsearch.export.parity import Parity
from tlsearch.report.evaluation import Evaluation

if TYPE_CHECKING:
    from tlsearch.export.job import ExportJob

LIBRARIES = ("tlsearch", "keras", "tensorflow", "tf2onnx", "onnx", "onnxruntime-gpu", "pillow")


@dataclass(frozen=True)
class Contents:
    """What goes into a bundle.

    Attributes:
        model: the ONNX model, serialised.
        golden_images: uint8 [k, s, s, 3]; golden_probabilities: float32 [k, classes].
    """

    job: ExportJob
    model: bytes
    parity: Parity
    validation: Evaluation
    test: Evaluation | None
    golden_images: np.ndarray
    golden_probabilities: np.ndarray


def write_bundle(contents: Contents, folder: Path) -> Manifest:
    """Write the bundle to `folder`, in the place of an older one.

    Raises:
        UsageError: the folder holds something else.
    """
    with _replacing(folder) as new:
        manifest = describe(contents)
        (new / MODEL_FILE).write_bytes(contents.model)
        write_golden(new, Golden(contents.golden_images, contents.golden_probabilities))
        card = model_card(manifest, contents.validation, contents.test)
        (new / "MODEL_CARD.md").write_text(card, encoding="utf-8")
        manifest.write(new)
        write_checksums(new)
    return manifest


def copy_bundle(bundle: Path, folder: Path) -> None:
    """Copy a bundle to `folder`, in the place of an older one.

    Raises:
        UsageError: the folder holds something else.
    """
    with _replacing(folder) as new:
        shutil.copytree(bundle, new, dirs_exist_ok=True)


def check_place(folder: Path) -> None:
    """Refuse a place where something other than a bundle would be lost.

    Raises:
        UsageError: it is a file, or a folder that holds something else.
    """
    empty = folder.is_dir() and not any(folder.iterdir())
    if folder.exists() and not empty and not (folder / MANIFEST_FILE).is_file():
        raise UsageError(
            "a bundle would take the place of something else",
            received=folder,
            expected="a new folder, an empty one, or an older bundle",
            hint="name another folder: --output DIR",
        )


@contextmanager
def _replacing(folder: Path) -> Iterator[Path]:
    """A new folder that takes the place of `folder` when the block ends without an error.

    Whoever looks sees the old bundle, for an instant none, or the new one; never a half.
    """
    check_place(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}-") as place:
        new, old = Path(place, "new"), Path(place, "old")
        new.mkdir()
        yield new
        if folder.exists():
            shutil.move(folder, old)
        new.rename(folder)


def describe(contents: Contents) -> Manifest:
    """The bundle's manifest."""
    job = contents.job
    validation = _score(contents.validation)
    return Manifest(
        name=job.sweep.export.register_as or job.sweep.name,
        labels=list(job.dataset.classes),
        image_size=job.configuration.image_size,
        resize=RESIZE_RULE,
        backbone=job.configuration.backbone.label,
        strategy=job.configuration.strategy,
        parameters=job.configuration.flat(),
        metrics=Metrics(
            validation=validation,
            test=None if contents.test is None else _score(contents.test),
        ),
        variants=[
            Variant(
                file=MODEL_FILE,
                precision="fp32",
                size_bytes=len(contents.model),
                max_difference=contents.parity.max_difference,
                accuracy_validation=validation.accuracy,
            )
        ],
        run=Run(
            sweep=job.sweep.name,
            trial=job.trial,
            mlflow_run=job.mlflow_run,
            dataset=job.dataset.digest,
        ),
        versions={name: importlib.metadata.version(name) for name in LIBRARIES},
        created=datetime.now(UTC),
    )


def _score(evaluation: Evaluation) -> Score:
    others = evaluation.metrics()
    return Score(photos=evaluation.photos, accuracy=others.pop("accuracy"), others=others)
