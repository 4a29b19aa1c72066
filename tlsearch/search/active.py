"""A trial that a supervisor has running."""

from __future__ import annotations

from dataclasses import dataclass, field

from optuna.trial import Trial

from tlsearch.config.configuration import Configuration
from tlsearch.search.failures import Batch

ATTEMPTS, PARTS = "attempts", "parts"
"""User attributes of a trial: how often in a row it was started without coming an epoch further,
the start that runs included; in how many parts it is shown a batch."""

MICRO_BATCH = "micro_batch"


@dataclass
class ActiveTrial:
    """A trial whose job runs now.

    attempt: as `ATTEMPTS`; counts: of its network's parameters, once that is built.
    """

    trial: Trial
    configuration: Configuration
    attempt: int
    batch: Batch
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def facts(self) -> dict[str, object]:
        """What is known of it however it ends."""
        shown = {MICRO_BATCH: self.batch.micro} if self.batch.parts > 1 else {}
        return {**self.counts, **shown}
