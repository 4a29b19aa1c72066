"""Judging a trained trial on the test split in a worker, without making a bundle of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from tlsearch.execution.executor import Channel
from tlsearch.export.keras_answers import ask_keras
from tlsearch.export.trial_job import TrialJob


@final
@dataclass(frozen=True)
class JudgeJob(TrialJob):
    """Reads the test split through Keras, for the trial that the champion is compared with."""

    def run(self, channel: Channel) -> dict[str, float]:
        """The metrics of the test split, by the names that `Evaluation.metrics` gives them."""
        answers = ask_keras(self.load_model(), self.photos("test"))
        return self.evaluate(answers, "test").metrics()
