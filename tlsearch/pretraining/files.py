"""What a pretraining leaves on disk: checkpoints, its history, and the weights at its end.

    history.csv                      a row for each epoch that is over
    steps.csv                        the loss of each step
    probes.csv                       the linear probe's accuracy
    checkpoint-00012.weights.h5      network and optimizer after so many epochs
    backbone.weights.h5              the backbone alone, once it is over
    result.json                      how it ended, and with which libraries
    recipe.yaml, definition.json     what all of it was made by

A checkpoint is written before its epoch's row in the history, and the one before is removed
after it: whenever the process is killed, the history's last epoch has its checkpoint.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tlsearch.errors import UsageError
from tlsearch.files import keep

if TYPE_CHECKING:
    import h5py
    import keras
    import pandas as pd

KERNEL = 2
"""From so many dimensions on a variable is a kernel, which half precision does no harm."""


@dataclass(frozen=True)
class PretrainingResult:
    """How a pretraining ended.

    Attributes:
        complete: False where it was interrupted.
        pictures: how many the network has seen, counted once for each time.
        probes: the accuracy of the linear probe by epoch; 0 is before the first.
    """

    complete: bool
    epochs: int
    pictures: int
    parameters: int
    probes: dict[int, float]


@dataclass(frozen=True)
class PretrainingFiles:
    """The folder of one pretraining."""

    folder: Path

    @property
    def weights(self) -> Path:
        """The pretrained backbone, for a sweep's `weights`."""
        return self.folder / "backbone.weights.h5"

    @property
    def recipe(self) -> Path:
        return self.folder / "recipe.yaml"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def lock(self) -> Path:
        return self.folder / "running.lock"

    def checkpoint(self, epochs: int) -> Path:
        """Network and optimizer after so many epochs."""
        return self.folder / f"checkpoint-{epochs:05d}.weights.h5"

    def epochs_done(self) -> int:
        return len(self.history())

    def history(self) -> pd.DataFrame:
        """One row an epoch, with its means: epoch, loss, seconds and others."""
        return _read(self.folder / "history.csv", "epoch")

    def steps(self) -> pd.DataFrame:
        """One row a step: epoch, step (both from 1), loss."""
        return _read(self.folder / "steps.csv", "step")

    def probes(self) -> dict[int, float]:
        """The probe's accuracy by epoch, 0 before the first."""
        table = _read(self.folder / "probes.csv", "epoch")
        return dict(zip(table["epoch"].tolist(), table.get("accuracy", []), strict=True))

    def end_epoch(
        self, model: keras.Model, row: Mapping[str, float], losses: Sequence[float]
    ) -> None:
        """Keep an epoch: its checkpoint first, its row last.

        Args:
            row: what `history` is to hold, with `epoch` counted from 1.
            losses: of each step of the epoch.
        """
        epoch = int(row["epoch"])
        self._save(model, self.checkpoint(epoch))
        first = len(losses) * (epoch - 1) + 1
        rows = [{"epoch": epoch, "step": first + i, "loss": loss} for i, loss in enumerate(losses)]
        _append(self.folder / "steps.csv", rows, "step")
        _append(self.folder / "history.csv", [row], "epoch")
        for older in self.folder.glob("checkpoint-*"):
            if older != self.checkpoint(epoch):
                older.unlink(missing_ok=True)

    def add_probe(self, epoch: int, accuracy: float) -> None:
        _append(self.folder / "probes.csv", [{"epoch": epoch, "accuracy": accuracy}], "epoch")

    def write_weights(self, model: keras.Model, dtype: str) -> None:
        """Write the backbone's weights; with float16, kernels in half precision."""
        self._save(model, self.weights, halve=dtype == "float16")

    def definition(self) -> dict[str, Any] | None:
        """What the epochs on disk were learned by."""
        return _read_json(self.folder / "definition.json")

    def note_definition(self, definition: Mapping[str, Any]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        _write_json(self.folder / "definition.json", definition)

    def run_id(self) -> str | None:
        """The tracker's run of an earlier start."""
        return (_read_json(self.folder / "run.json") or {}).get("run")

    def note_run(self, run: str) -> None:
        _write_json(self.folder / "run.json", {"run": run})

    def result(self) -> PretrainingResult | None:
        """How it ended; None where it has not."""
        found = _read_json(self.folder / "result.json")
        if found is None:
            return None
        probes = {int(epoch): accuracy for epoch, accuracy in found["probes"].items()}
        return PretrainingResult(**{**found, "probes": probes})

    def write_result(self, result: PretrainingResult) -> None:
        _write_json(self.folder / "result.json", asdict(result))

    def gather(self) -> Path:
        """A folder of what is worth keeping elsewhere: weights, recipe, tables."""
        folder = self.folder / "artifacts"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for file in (*self.folder.glob("*.csv"), self.recipe, self.weights):
            if file.is_file():
                shutil.copy2(file, folder)
        return folder

    def copy_weights(self, path: Path) -> Path:
        """Put the weights where the recipe wants them; the file is there whole or not at all.

        Raises:
            UsageError: nothing can be written there.
        """
        partial = path.with_name(f".{path.name}.partial")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.weights, partial)
            partial.replace(path)
        except OSError as error:
            raise UsageError(
                "the weights cannot be written where the recipe wants them",
                received=f"output.path: {path} ({error.strerror})",
                expected="a path that this user may write to",
                hint=f"they are in {self.weights}; run it again with another output.path=...",
            ) from error
        return path

    def clear(self) -> None:
        """Forget everything but the logs."""
        for pattern in ("*.csv", "*.h5", "*.json", "*.yaml"):
            for file in self.folder.glob(pattern):
                file.unlink(missing_ok=True)

    def _save(self, model: keras.Model, path: Path, *, halve: bool = False) -> None:
        partial = self.folder / "writing.weights.h5"
        model.save_weights(partial)
        if halve:
            _halve(partial)
        keep(partial, path)


def _halve(path: Path) -> None:
    """Rewrite a weights file with its kernels in float16. Keras reads it as ever."""
    import h5py

    smaller = path.with_name("halving.weights.h5")
    with h5py.File(path) as source, h5py.File(smaller, "w") as target:
        source.visititems(lambda name, item: _copy(name, item, target))
        target.attrs.update(source.attrs)
    smaller.replace(path)


def _copy(name: str, item: h5py.Dataset | h5py.Group, target: h5py.File) -> None:
    import h5py

    if isinstance(item, h5py.Group):
        copy = target.require_group(name)
    else:
        value = np.asarray(item[()])
        is_kernel = value.ndim >= KERNEL
        copy = target.create_dataset(name, data=value.astype(np.float16) if is_kernel else value)
    copy.attrs.update(item.attrs)


def _read_json(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    partial.replace(path)


def _read(path: Path, key: str) -> pd.DataFrame:
    """A table, empty where there is none; of rows written twice the last counts."""
    import pandas as pd

    if not path.is_file():
        return pd.DataFrame({key: pd.Series(dtype=int)})
    return pd.read_csv(path).drop_duplicates(key, keep="last", ignore_index=True)


def _append(path: Path, rows: Sequence[Mapping[str, float]], key: str) -> None:
    """Write the table anew with more rows: a torn line is never left behind."""
    import pandas as pd

    table, before = pd.DataFrame(rows), _read(path, key)
    if len(before):
        table = pd.concat([before, table], ignore_index=True)
    partial = path.with_suffix(".partial")
    table.drop_duplicates(key, keep="last").to_csv(partial, index=False)
    partial.replace(path)
