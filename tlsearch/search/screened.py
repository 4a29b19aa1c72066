"""What screening found: a row for each backbone, the best first, and what follows from it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tlsearch.config.schema import Sweep
from tlsearch.errors import StudyMismatchError


@dataclass(frozen=True)
class ScreenedBackbone:
    """One backbone.

    backbone: its label; photos: how many the last of its probes saw; accuracy: the share of them
    that a probe fitted to others got right; published: ImageNet top-1 in percent; estimate: both
    together; kept: whether it stays in the space; told_apart: from the next one; below: accuracy
    of the features at lower cuts; better_below: the one that is better than the top beyond doubt,
    if any, and unfreeze: how many blocks lie above it; seconds: in the worker.
    """

    backbone: str
    image_size: int
    photos: int
    accuracy: float
    standard_error: float
    published: float | None
    estimate: float
    kept: bool
    told_apart: bool
    below: Mapping[str, float]
    better_below: str | None
    unfreeze: int | None
    seconds: float


@dataclass(frozen=True)
class ScreeningResult:
    """The ranking, and in words what is to be said about it."""

    rows: tuple[ScreenedBackbone, ...]
    remarks: tuple[str, ...]
    seconds: float

    @property
    def kept(self) -> list[str]:
        """The labels of the backbones that stay, the best first."""
        return [row.backbone for row in self.rows if row.kept]

    def first_trials(self, sweep: Sweep) -> list[dict[str, Any]]:
        """Parameters of trials to try first: each kept backbone, as it was screened."""
        sizes = len(sweep.space.image_size.choices) > 1
        return [
            {"backbone": row.backbone, **({"image_size": row.image_size} if sizes else {})}
            for row in self.rows
            if row.kept
        ]

    def check_enqueued(self, sweep: Sweep) -> None:
        """Hold `search.enqueue` against what stays, for entries that came later.

        Raises:
            StudyMismatchError: one names a backbone that was left out.
        """
        for given in sweep.search.enqueue:
            if given.get("backbone", self.kept[0]) not in self.kept:
                raise StudyMismatchError(
                    "search.enqueue names a backbone that screening left out of this study",
                    received=given["backbone"],
                    expected=f"one of {', '.join(self.kept)}",
                    hint="remove it, or start over with it: --new",
                )

    def narrow(self, sweep: Sweep) -> Sweep:
        """The sweep without the backbones that were left out."""
        choices = [one for one in sweep.space.backbone.choices if one.label in self.kept]
        backbone = sweep.space.backbone.model_copy(update={"choices": choices})
        space = sweep.space.model_copy(update={"backbone": backbone})
        return sweep.model_copy(update={"space": space})

    def as_dict(self) -> dict[str, Any]:
        """All of it, JSON-friendly."""
        rows = [asdict(row) for row in self.rows]
        return {"rows": rows, "remarks": list(self.remarks), "seconds": self.seconds}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> ScreeningResult:
        """What `as_dict` gave."""
        rows = tuple(ScreenedBackbone(**row) for row in stored["rows"])
        return cls(rows, tuple(stored["remarks"]), stored["seconds"])


def remark(rows: Sequence[ScreenedBackbone], deepest: int) -> tuple[str, ...]:
    """What a reader should know beside the table.

    Args:
        deepest: how many blocks the sweep unfreezes at most.
    """
    return (*_alike(rows), *_left_out(rows), *_below(rows, deepest))


def _alike(rows: Sequence[ScreenedBackbone]) -> Iterable[str]:
    pairs = itertools.pairwise(rows)
    alike = [f"{one.backbone} and {other.backbone}" for one, other in pairs if not one.told_apart]
    if alike:
        yield f"the photos do not tell apart {', '.join(alike)}: their order is a guess"


def _left_out(rows: Sequence[ScreenedBackbone]) -> Iterable[str]:
    """Whether the line between kept and left out is drawn between two that are alike."""
    for number, (one, other) in enumerate(itertools.pairwise(rows), start=2):
        if one.kept and not other.kept and not one.told_apart:
            yield (
                f"{other.backbone} may be as good as {one.backbone}: "
                f"search.screening.keep={number} searches it too"
            )
            return


def _below(rows: Sequence[ScreenedBackbone], deepest: int) -> Iterable[str]:
    for row in rows:
        if row.kept and row.better_below is not None and row.unfreeze is not None:
            wanted = f": unfreeze up to {row.unfreeze} blocks" if deepest < row.unfreeze else ""
            yield (
                f"these photos want lower layers of {row.backbone}: features at "
                f"{row.better_below} reach {row.below[row.better_below]:.3f}, "
                f"at the top {row.accuracy:.3f}{wanted}"
            )
