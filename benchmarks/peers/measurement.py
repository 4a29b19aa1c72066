"""One run of one side: what is kept of it, and what is computed from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from peers.memory import Memory
from peers.process import Run
from peers.trials import Part, Trial
from tlsearch.errors import NoResultError

_HELD = ("backbone", "strategy", "unfreeze", "head_learning_rate", "learning_rate", "dropout")


@dataclass(frozen=True)
class Measurement:
    """A run of one side over a part of the list of trials.

    seconds: of the whole process. first_word: seconds until it said anything; a script says so
    when its imports are done. before: seconds until the first trial began, which in tlsearch is
    when its network was built, so that starting a worker is no part of a trial. trial_seconds:
    each trial from the end of the one before. values: the best validation accuracy of each.
    """

    side: str
    round: int
    part: Part
    seconds: float
    first_word: float
    before: float
    trial_seconds: tuple[float, ...]
    values: tuple[float, ...]
    memory: Memory | None = None

    @property
    def after(self) -> float:
        """Seconds from the end of the last trial: in tlsearch the export of the best."""
        return self.seconds - self.before - sum(self.trial_seconds)

    @property
    def whole_seconds(self) -> float:
        """For the whole list: each trial that was run stands for others of its kind."""
        scaled = zip(self.part.weights, self.trial_seconds, strict=True)
        trials = sum(weight * seconds for weight, seconds in scaled)
        return self.before + trials + self.after

    @property
    def is_estimate(self) -> bool:
        return max(self.part.weights) > 1

    @property
    def search_seconds(self) -> float:
        """From the end of the first trial to the end of the last."""
        return sum(self.trial_seconds[1:])

    def value_of(self) -> dict[int, float]:
        """Position in the list to validation accuracy."""
        return dict(zip(self.part.positions, self.values, strict=True))

    def as_dict(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "after": self.after,
            "whole_seconds": self.whole_seconds,
            "is_estimate": self.is_estimate,
        }


def measure(run: Run, side: str, round_: int, trials: Sequence[Trial], part: Part) -> Measurement:
    """What a run shows, once it is clear that it ran these trials and no others.

    Raises:
        NoResultError: it ran something else.
    """
    ended = sorted(run.named("trial_ended"), key=lambda event: event[1]["trial"])
    _check(side, [said for _, said in ended], [trials[i] for i in part.positions])
    began = (run.named("network_built") or run.named("trial_started"))[0][0]
    times = [began, *(at for at, _ in ended)]
    return Measurement(
        side=side,
        round=round_,
        part=part,
        seconds=run.seconds,
        first_word=run.events[0][0],
        before=began,
        trial_seconds=tuple(later - earlier for earlier, later in pairwise(times)),
        values=tuple(said["value"] for _, said in ended),
        memory=run.memory,
    )


def _check(side: str, ended: Sequence[dict[str, Any]], trials: Sequence[Trial]) -> None:
    ran = [_identity(said) for said in ended]
    listed = [_identity(trial.parameters()) for trial in trials]
    failed = [said["trial"] for said in ended if said["value"] is None]
    if failed or ran != listed:
        raise NoResultError(
            f"{side} did not run the trials of the list",
            received=f"failed: {failed}; ran {len(ran)}: {ran}",
            expected=f"{len(listed)}: {listed}",
            hint="--keep leaves its files to look at",
        )


def _identity(parameters: dict[str, Any]) -> list[Any]:
    """What tells trials apart; sides do not all name what does not apply."""
    tuned = parameters.get("strategy") == "fine_tune"
    only_tuned = ("unfreeze", "learning_rate")
    return [parameters.get(name) for name in _HELD if tuned or name not in only_tuned]
