"""A trained trial as it lies on disk: what it learned, predictions for validation, history.

learned.npz       the best epoch's weights of the layers that were trained
validation.npz    the best epoch's probabilities for the validation split
history.csv       a row for each epoch
result.json       how it ended and what it was made by; written last
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tlsearch.errors import WeightsError
from tlsearch.files import keep, sync, write_whole
from tlsearch.training.weights import Weights, flatten, unflatten

if TYPE_CHECKING:
    import pandas as pd

_BACKBONE = "backbone"


@dataclass(frozen=True)
class TrainedTrial:
    """The files of one trial.

    study: stands for the study that the trial is to be of. A folder outlives its study: another
        one's trial of the same number, which `--new` or a change of the database has left there,
        counts as not there. "" asks for none.
    """

    folder: Path
    study: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether everything was written, for this study. The history is written last."""
        return self._history.is_file() and self._is_of_study()

    @property
    def has_weights(self) -> bool:
        """Whether what was learned is still there: see `drop_weights`."""
        return self.is_whole and self._weights.is_file()

    def drop_weights(self) -> None:
        """Remove what was learned; the history and the predictions stay."""
        self._weights.unlink(missing_ok=True)

    @property
    def _weights(self) -> Path:
        return self.folder / "learned.npz"

    @property
    def _history(self) -> Path:
        return self.folder / "history.csv"

    @property
    def _result(self) -> Path:
        return self.folder / "result.json"

    @property
    def _predictions(self) -> Path:
        return self.folder / "validation.npz"

    def write(
        self,
        weights: Weights,
        backbone: str,
        probabilities: np.ndarray,
        epochs: list[dict[str, float]],
    ) -> None:
        """Write all of it, each file whole or not at all.

        Args:
            weights: the best epoch's, of the layers that were trained.
            backbone: the digest of the pretrained weights below them; "" where there are none.
            probabilities: float32 [n, outputs] of the validation split's n photos, in order.
            epochs: the metrics of each epoch.
        """
        import pandas as pd

        self.folder.mkdir(parents=True, exist_ok=True)
        _save(self._weights, {_BACKBONE: np.array(backbone), **flatten(weights)})
        _save(self._predictions, {"probabilities": two_columns(probabilities)})
        history = self.folder / "writing.csv"
        pd.DataFrame(epochs).to_csv(history, index=False)
        keep(history, self._history)

    def write_result(self, made_by: str, facts: Mapping[str, Any]) -> None:
        """Keep how it ended, once everything else is written.

        Args:
            made_by: stands for everything that decides what a trial learns.
        """
        sync(self.folder)
        named = {"made_by": made_by, "study": self.study, **facts}
        write_whole(self._result, json.dumps(named).encode())

    def result(self, made_by: str) -> dict[str, Any] | None:
        """What `write_result` was given; None if the trial is not over, or made by other things."""
        facts = self._facts()
        files = (self._weights, self._predictions, self._history)
        if facts.pop("made_by", None) != made_by or not all(file.is_file() for file in files):
            return None
        return facts

    def _facts(self) -> dict[str, Any]:
        """What `write_result` has kept; nothing if the trial is not over."""
        try:
            return json.loads(self._result.read_bytes())
        except (OSError, ValueError):
            return {}

    def _is_of_study(self) -> bool:
        """An earlier version noted no study: its folders are taken for what they seem to be."""
        noted = self._facts().get("study")
        return not noted or not self.study or noted == self.study

    def weights(self, backbone: str) -> Weights:
        """The best epoch's weights of the layers that were trained.

        Args:
            backbone: the digest of the pretrained weights that they will stand on.

        Raises:
            WeightsError: they were trained on others, or are gone.
        """
        if not self._weights.is_file():
            raise WeightsError(
                "what the trial has learned is not kept any more",
                received=f"no {self._weights}",
                expected="the weights that the trial ended with",
                hint="checkpoints.keep=all keeps those of all trials to come",
            )
        with np.load(self._weights) as file:
            arrays = dict(file)
        trained_on = str(arrays.pop(_BACKBONE))
        if trained_on != backbone:
            raise WeightsError(
                "the backbone's weights are not those that the trial was trained on",
                received=f"a file with digest {backbone[:12]}",
                expected=f"digest {trained_on[:12]}",
                hint="bring the former file back (KERAS_HOME says where it is looked for)",
            )
        return unflatten(arrays)

    def history(self) -> pd.DataFrame:
        """One row an epoch: epoch, loss, accuracy, val_loss, val_accuracy."""
        import pandas as pd

        return pd.read_csv(self._history)

    def validation(self) -> np.ndarray:
        """The best epoch's probabilities for the validation split, float32 [n, classes]."""
        with np.load(self._predictions) as file:
            return file["probabilities"]


def two_columns(probabilities: np.ndarray) -> np.ndarray:
    """A single sigmoid [n, 1] as the probabilities of both classes; anything else unchanged."""
    if probabilities.shape[1] > 1:
        return probabilities
    return np.concatenate([1 - probabilities, probabilities], axis=1)


def _save(path: Path, arrays: dict[str, np.ndarray]) -> None:
    written = path.with_name(f"writing-{path.name}")
    np.savez(written, **arrays)  # type: ignore[arg-type]
    keep(written, path)
