"""Before the search: which backbones these photos want, by linear probes in worker processes.

Every backbone is probed on the same few photos of the train split, the better half on three times
as many, and so on until those that are left stay in the space. A backbone is probed at one size,
that of the space which is nearest to what it was trained at: sizes change all backbones alike, and
the space can only be narrowed by backbone.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tlsearch.backbones.table import BACKBONES, default_image_size
from tlsearch.config.schema import BackboneChoice, Sweep
from tlsearch.data.dataset import Dataset, pixel_store
from tlsearch.disk import disk_is_full
from tlsearch.errors import Interrupted, NoResultError, SetupError, TlsearchError
from tlsearch.execution.events import Failed, Finished
from tlsearch.execution.executor import Executor
from tlsearch.execution.failures import DISK_FULL, SETUP, TIMEOUT, WORKER_LOST
from tlsearch.execution.notices import Notice, Notify
from tlsearch.execution.signals import StopRequest
from tlsearch.paths import Paths
from tlsearch.search import ranking
from tlsearch.search.leaderboard import BASELINE
from tlsearch.search.screened import ScreenedBackbone, ScreeningResult, remark
from tlsearch.search.subsample import first_size, nested
from tlsearch.training.demand import Demand
from tlsearch.training.screening_job import Probed, ScreeningJob


@dataclass(frozen=True, eq=False)
class Candidate:
    """A backbone at the size it is probed at, and how it did on each rung, by its photos.

    published: ImageNet top-1 in percent, where it was published for just this network.
    """

    backbone: BackboneChoice
    image_size: int
    published: float | None
    probed: dict[int, Probed] = field(default_factory=dict)
    estimates: dict[int, float] = field(default_factory=dict)

    @property
    def photos(self) -> int:
        """Of the last rung that it reached."""
        return max(self.probed)

    @property
    def last(self) -> Probed:
        return self.probed[self.photos]


def is_wanted(sweep: Sweep) -> bool:
    """Whether the sweep has more backbones than screening would keep, and uses their weights."""
    wanted, space = sweep.search.screening, sweep.space
    pretrained = any(strategy != BASELINE for strategy in space.strategy.choices)
    return wanted is not None and pretrained and len(space.backbone.choices) > wanted.keep


def candidate(backbone: BackboneChoice, sizes: Sequence[int | None]) -> Candidate:
    """A backbone at the one of the sizes that is nearest to what it was trained at.

    Of a user's own network nobody knows that, so that it gets the largest.

    Raises:
        UsageError: there is no size for it.
    """
    row = BACKBONES.get(backbone.name)
    if row is None:
        largest = max((size for size in sizes if size is not None), default=None)
        return Candidate(backbone, largest or default_image_size(backbone.name), None)
    size = min(
        (size or row.image_size for size in sizes),
        key=lambda size: (abs(math.log(size / row.image_size)), size),
    )
    is_published = backbone.alpha in (None, 1.0) and backbone.weights_path is None
    return Candidate(backbone, size, row.top1 if is_published else None)


class Screening:
    """Screens the backbones of one sweep."""

    def __init__(
        self, sweep: Sweep, paths: Paths, dataset: Dataset, notify: Notify, command: str
    ) -> None:
        self._sweep = sweep
        self._paths = paths
        self._dataset = dataset
        self._notify = notify
        self._command = command
        rows = dataset.splits["train"]
        contents = [dataset.contents[row] for row in rows]
        self._order = nested(dataset.labels[rows], contents, sweep.search.seed)

    def run(self, executor: Executor, stop: StopRequest) -> ScreeningResult | None:
        """Probe and rank; None where no two classes have enough photos to be probed.

        Raises:
            Interrupted: the user asked to stop.
            NoResultError, SetupError: a backbone could not be probed.
            DiskError: a worker found the disk full.
        """
        started = time.monotonic()
        labels = self._dataset.labels_of("train")[self._order]
        if len(np.unique(labels)) < 2:
            return None
        space, wanted = self._sweep.space, self._sweep.search.screening
        assert wanted is not None
        sizes = space.image_size.choices
        everyone = [candidate(backbone, sizes) for backbone in space.backbone.choices]
        first, total = first_size(len(self._dataset.classes)), len(self._order)
        ranked = everyone
        for rung in ranking.rungs(len(everyone), wanted.keep, first, total):
            # Those that stay behind keep their places below.
            ranked = [
                *self._climb(ranked[: rung.candidates], rung.photos, executor, stop),
                *ranked[rung.candidates :],
            ]
        return self._result(ranked, wanted.keep, time.monotonic() - started)

    def _climb(
        self, climbing: list[Candidate], photos: int, executor: Executor, stop: StopRequest
    ) -> list[Candidate]:
        """Probe candidates on so many photos; the same candidates, the best first."""
        labels = [one.backbone.label for one in climbing]
        self._notify(Notice("screening", {"backbones": labels, "photos": photos}))
        rows = self._dataset.splits["train"][self._order[:photos]]
        files = {self._dataset.contents[row]: Path(self._dataset.paths[row]) for row in rows}
        for one in climbing:
            pixel_store(self._paths, one.image_size).add(files)
        self._probe(climbing, photos, executor, stop)
        right = [one.probed[photos].right for one in climbing]
        estimates = ranking.estimate(right, [one.published for one in climbing])
        for one, estimate in zip(climbing, estimates, strict=True):
            one.estimates[photos] = estimate
        accuracies = [ranking.accuracy(answers) for answers in right]
        return [climbing[i] for i in ranking.order(estimates, accuracies)]

    def _probe(
        self, candidates: list[Candidate], photos: int, executor: Executor, stop: StopRequest
    ) -> None:
        """Have the workers probe them; one whose worker is lost is probed again."""
        waiting = deque(range(len(candidates)))
        attempts = dict.fromkeys(waiting, 0)
        while waiting or executor.running:
            if stop.signal is not None:
                raise Interrupted(
                    "stopped while backbones were screened; what was computed is kept",
                    signal=stop.signal,
                    hint=f"to continue: {self._command}",
                )
            while waiting and len(executor.running) < executor.capacity:
                number = waiting.popleft()
                attempts[number] += 1
                executor.submit(self._job(number, candidates[number], photos))
            for event in executor.wait(timeout=0.5):
                if isinstance(event, Finished):
                    self._note(candidates[event.trial], photos, event.result)
                elif isinstance(event, Failed):
                    if not self._may_try_again(event, attempts[event.trial]):
                        raise _explain(event, candidates[event.trial])
                    waiting.append(event.trial)

    def _may_try_again(self, event: Failed, attempts: int) -> bool:
        is_passing = event.kind in (WORKER_LOST, TIMEOUT)
        return is_passing and attempts < self._sweep.on_failure.max_attempts

    def _job(self, number: int, candidate: Candidate, photos: int) -> ScreeningJob:
        return ScreeningJob(
            trial=number,
            backbone=candidate.backbone,
            image_size=candidate.image_size,
            positions=self._order[:photos],
            sweep=self._sweep,
            dataset=self._dataset,
            paths=self._paths,
        )

    def _note(self, candidate: Candidate, photos: int, probed: Probed) -> None:
        candidate.probed[photos] = probed
        facts = {
            "backbone": candidate.backbone.label,
            "image_size": candidate.image_size,
            "photos": photos,
            "accuracy": ranking.accuracy(probed.right),
            "standard_error": ranking.standard_error(probed.right),
            "seconds": round(probed.seconds, 2),
        }
        self._notify(Notice("probed", facts))

    def _result(self, ranked: list[Candidate], keep: int, seconds: float) -> ScreeningResult:
        enqueued = {given.get("backbone") for given in self._sweep.search.enqueue}
        rows = []
        for place, one in enumerate(ranked):
            following = ranked[place + 1] if place + 1 < len(ranked) else None
            kept = place < keep or one.backbone.label in enqueued
            rows.append(_row(one, following, kept=kept))
        remarks = remark(rows, Demand(self._sweep).deepest)
        return ScreeningResult(tuple(rows), remarks, round(seconds, 2))


def _row(one: Candidate, following: Candidate | None, *, kept: bool) -> ScreenedBackbone:
    better = _better_below(one)
    return ScreenedBackbone(
        backbone=one.backbone.label,
        image_size=one.image_size,
        photos=one.photos,
        accuracy=ranking.accuracy(one.last.right),
        standard_error=ranking.standard_error(one.last.right),
        published=one.published,
        estimate=one.estimates[one.photos],
        kept=kept,
        told_apart=following is not None and _are_told_apart(one, following),
        below={cut: ranking.accuracy(right) for cut, right in one.last.below.items()},
        better_below=better,
        unfreeze=None if better is None else one.last.blocks[better],
        seconds=round(sum(probed.seconds for probed in one.probed.values()), 2),
    )


def _are_told_apart(one: Candidate, other: Candidate) -> bool:
    """By the photos of the last rung that both reached."""
    shared = max(one.probed.keys() & other.probed.keys())
    return ranking.are_told_apart(one.probed[shared].right, other.probed[shared].right)


def _better_below(one: Candidate) -> str | None:
    """The best of the lower cuts, if it is better than the top and chance is not enough for it."""
    top = one.last.right
    best = max(one.last.below, key=lambda cut: one.last.below[cut].sum(), default=None)
    if best is None or one.last.below[best].sum() <= top.sum():
        return None
    return best if ranking.are_told_apart(one.last.below[best], top) else None


def _explain(event: Failed, candidate: Candidate) -> TlsearchError:
    if event.kind == DISK_FULL:
        return disk_is_full(f"{event.reason} ({candidate.backbone.label}; its log: {event.log})")
    kind = SetupError if event.kind == SETUP else NoResultError
    return kind(
        f"{candidate.backbone.label} at {candidate.image_size} px could not be screened",
        received=event.reason,
        expected="a backbone that loads and sees the photos",
        hint="mend the cause, or take it out of space.backbone; "
        "search.screening=null searches without a look before",
    )
