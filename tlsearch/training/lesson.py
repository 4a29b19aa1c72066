"""How a phase of a trial is taught: what has to be built for it, and what trains it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from tlsearch.training.learner import Learner
from tlsearch.training.weights import Weights


@dataclass(frozen=True)
class Counts:
    """Parameters of the whole network, frozen ones included, and of what learns."""

    total: int
    trainable: int


class Lesson(ABC):
    """One phase of one trial."""

    @abstractmethod
    def counts(self) -> Counts:
        """How large the network is."""

    @abstractmethod
    def learner(self, known: Weights) -> Learner:
        """What trains the phase, starting from what was learned before."""
