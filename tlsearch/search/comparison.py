"""Transfer learning against training from scratch, on the test split, at the end of a sweep."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tlsearch.search.leaderboard import BASELINE, row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna.trial import FrozenTrial

    from tlsearch.search.study import SweepStudy


@dataclass(frozen=True)
class Contender:
    """The best trial of its kind.

    Attributes:
        epochs: how many it was trained for.
        seconds: how long that took.
        accuracy: the share of the test photos that it names rightly.
        low: where the 95 % interval of the accuracy begins; `high`: where it ends.
    """

    trial: int
    strategy: str
    backbone: str
    epochs: int
    seconds: float
    accuracy: float
    low: float
    high: float

    @classmethod
    def judged(cls, trial: FrozenTrial, test: Mapping[str, float]) -> Contender:
        """A trial and its metrics on the test split."""
        facts = row(trial)
        names = ("trial", "strategy", "backbone", "epochs", "seconds")
        return cls(
            **{name: facts[name] for name in names},
            accuracy=test["accuracy"],
            low=test["accuracy_low"],
            high=test["accuracy_high"],
        )


@dataclass(frozen=True)
class Comparison:
    """The champion and its rival, by what they are. The test split has chosen neither."""

    transfer: Contender
    baseline: Contender

    @property
    def points(self) -> float:
        """What transfer learning gains, in points: hundredths of the test accuracy."""
        return 100 * (self.transfer.accuracy - self.baseline.accuracy)

    @property
    def overlaps(self) -> bool:
        """Whether the 95 % intervals overlap: then more photos might turn the result round."""
        first, second = self.transfer, self.baseline
        return first.low <= second.high and second.low <= first.high

    @property
    def is_at_equal_epochs(self) -> bool:
        return self.transfer.epochs == self.baseline.epochs

    def as_dict(self) -> dict[str, Any]:
        """Both sides and what follows from them, JSON-friendly."""
        return {
            **asdict(self),
            "points": self.points,
            "overlaps": self.overlaps,
            "is_at_equal_epochs": self.is_at_equal_epochs,
        }


def compare(study: SweepStudy) -> Comparison | None:
    """The comparison of a delivered sweep; None where one of the two kinds was not judged."""
    rival = study.rival()
    if rival is None:
        return None
    champion = study.champion()
    tests = study.test_of(champion.number), study.test_of(rival.number)
    if tests[0] is None or tests[1] is None:
        return None
    sides = [Contender.judged(champion, tests[0]), Contender.judged(rival, tests[1])]
    transfer, baseline = sorted(sides, key=lambda side: side.strategy == BASELINE)
    return Comparison(transfer, baseline)
