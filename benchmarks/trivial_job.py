"""A job that trains nothing and leaves behind what training does: for `overhead.py`.

A worker imports this module by its name.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tlsearch.execution.events import Decision, EpochEnded, Started
from tlsearch.execution.executor import Channel
from tlsearch.training.job import State, TrialResult
from tlsearch.training.trained import TrainedTrial


@dataclass(frozen=True)
class TrivialJob:
    """Reports its epochs at once and writes random answers for the validation split."""

    trial: int
    epochs: int
    photos: int
    classes: int
    trained: TrainedTrial

    def run(self, channel: Channel) -> TrialResult:
        random = np.random.default_rng(self.trial)
        channel.send(Started(self.trial, 2_264_389, 6_405))
        history: list[dict[str, float]] = []
        for epoch in range(1, self.epochs + 1):
            metrics = self._metrics(random, epoch)
            history.append({"epoch": epoch, **metrics})
            if channel.ask(EpochEnded(self.trial, epoch, metrics, 0.01)) is not Decision.CONTINUE:
                break
        self._write(random, history)
        best = max(history, key=lambda row: row["val_accuracy"])
        value, at = best["val_accuracy"], int(best["epoch"])
        state: State = "complete" if len(history) == self.epochs else "pruned"
        return TrialResult(state, value, at, len(history), best, 0.1, 30_000.0)

    def _metrics(self, random: np.random.Generator, epoch: int) -> dict[str, float]:
        loss = 1.0 / epoch + 0.1 * float(random.random())
        accuracy = 1 - 0.5 * loss
        return {
            "loss": loss,
            "accuracy": accuracy,
            "val_loss": loss + 0.05,
            "val_accuracy": accuracy - 0.05 * float(random.random()),
        }

    def _write(self, random: np.random.Generator, history: list[dict[str, float]]) -> None:
        import pandas as pd

        folder = self.trained.folder
        folder.mkdir(parents=True, exist_ok=True)
        answers = random.dirichlet(np.full(self.classes, 0.3), self.photos).astype(np.float32)
        np.savez(folder / "validation.npz", probabilities=answers)
        pd.DataFrame(history).to_csv(folder / "history.csv", index=False)
