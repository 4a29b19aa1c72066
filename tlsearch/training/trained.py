"""A trained trial as it lies on disk: weights, predictions for validation, history."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from tlsearch.training.network import Network


@dataclass(frozen=True)
class TrainedTrial:
    """The files of one trial."""

    folder: Path

    @property
    def weights(self) -> Path:
        """The best epoch's weights of the whole network, for `keras.Model.load_weights`."""
        return self.folder / "best.weights.h5"

    @property
    def is_whole(self) -> bool:
        """Whether everything was written. The history is written last."""
        return self._history.is_file()

    @property
    def _history(self) -> Path:
        return self.folder / "history.csv"

    @property
    def _predictions(self) -> Path:
        return self.folder / "validation.npz"

    def write(
        self, network: Network, probabilities: np.ndarray, epochs: list[dict[str, float]]
    ) -> None:
        """Write all of it, each file whole or not at all.

        Args:
            probabilities: float32 [n, outputs] of the validation split's n photos, in order.
            epochs: the metrics of each epoch.
        """
        import pandas as pd

        self.folder.mkdir(parents=True, exist_ok=True)
        weights = self.folder / "writing.weights.h5"
        network.model.save_weights(weights)
        keep(weights, self.weights)
        predictions = self.folder / "writing.npz"
        np.savez(predictions, probabilities=two_columns(probabilities))
        keep(predictions, self._predictions)
        history = self.folder / "writing.csv"
        pd.DataFrame(epochs).to_csv(history, index=False)
        keep(history, self._history)

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


def keep(written: Path, path: Path) -> None:
    """Let a file take its name once it is on the disk: Keras and NumPy write in place."""
    with written.open("rb") as file:
        os.fsync(file.fileno())
    written.replace(path)
