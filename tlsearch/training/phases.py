"""What a strategy does, as phases: which part learns, how fast, for how many epochs."""

from __future__ import annotations

from dataclasses import dataclass

from tlsearch.config.configuration import Configuration
from tlsearch.config.schema import Train
from tlsearch.training.head import POOLED


@dataclass(frozen=True)
class Phase:
    """Everything above `cut` learns at `learning_rate`; what is below stays as it is.

    A cut of None means that the whole network learns.
    """

    cut: str | None
    learning_rate: float
    epochs: int
    train_batch_norm: bool = False


def head_epochs(train: Train) -> int:
    """How many epochs of `fine_tune` train the head alone; at least one is left for the blocks."""
    return min(train.head_epochs, train.epochs - 1)


def phases(configuration: Configuration, train: Train, block_cut: str | None) -> list[Phase]:
    """The phases of a trial. Their epochs add up to `train.epochs` for every strategy.

    `fine_tune` trains the head alone first: unfrozen blocks under a random head would be
    pulled apart by its large gradients (Chollet, "Transfer learning and fine-tuning").

    Args:
        block_cut: the cut below the unfrozen blocks, for `fine_tune`.
    """
    head = configuration.head_learning_rate
    if configuration.strategy == "feature_extraction":
        return [Phase(POOLED, head, train.epochs)]
    if configuration.strategy == "from_scratch":
        return [Phase(None, head, train.epochs, train_batch_norm=True)]
    first = head_epochs(train)
    fine = Phase(
        block_cut,
        configuration.learning_rate or head,
        train.epochs - first,
        train_batch_norm=train.batch_norm == "train",
    )
    return [Phase(POOLED, head, first), fine] if first else [fine]
