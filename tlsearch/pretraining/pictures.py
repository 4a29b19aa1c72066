"""The pictures of an epoch: drawn anew for each, or the same photos every time."""

from __future__ import annotations

import multiprocessing
import os
from abc import ABC, abstractmethod
from concurrent.futures import Future, ProcessPoolExecutor
from typing import final

import numpy as np

from tlsearch.config.pretraining import Patterns
from tlsearch.data.patterns.task import PatternTask
from tlsearch.training.photos import Photos

_PORTION = 64
"""Pictures that a process draws at once."""


class Pictures(ABC):
    """Pictures with labels, epoch by epoch."""

    @property
    @abstractmethod
    def count(self) -> int:
        """How many an epoch has."""

    @property
    @abstractmethod
    def factors(self) -> tuple[int, ...]:
        """How many classes each factor of the labels has."""

    @property
    @abstractmethod
    def labels(self) -> np.ndarray:
        """int64 [count, factors], of the epoch that was started last."""

    @abstractmethod
    def start(self, epoch: int) -> None:
        """Bring the pictures of an epoch (from 0) to hand."""

    @abstractmethod
    def take(self, rows: np.ndarray) -> np.ndarray:
        """Some of them: uint8 [len(rows), s, s, 3] RGB."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything."""


@final
class StoredPhotos(Pictures):
    """Photos from the pixel store, labels int64 [n] below `classes`."""

    def __init__(self, photos: Photos, labels: np.ndarray, classes: int) -> None:
        self._photos = photos
        self._labels = labels[:, None]
        self._classes = classes

    @property
    def count(self) -> int:
        return len(self._labels)

    @property
    def factors(self) -> tuple[int, ...]:
        return (self._classes,)

    @property
    def labels(self) -> np.ndarray:
        return self._labels

    def start(self, epoch: int) -> None:
        pass

    def take(self, rows: np.ndarray) -> np.ndarray:
        return self._photos.pixels[self._photos.rows[rows]]

    def close(self) -> None:
        pass


@final
class DrawnPictures(Pictures):
    """Patterns that processes of their own draw: the next epoch's while this one is learned.

    Picture i of epoch e is the same on every machine, however many processes draw.
    """

    def __init__(self, options: Patterns, size: int) -> None:
        self._task = PatternTask(options.patterns, size, options.seed)
        self._count = options.pictures_per_epoch
        processes = os.cpu_count() if options.processes == "auto" else options.processes
        spawn = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(processes, spawn, _be_modest)
        self._ahead: tuple[int, list[Future]] = (-1, [])
        self._pictures = self._labels = np.empty(0)

    @property
    def count(self) -> int:
        return self._count

    @property
    def factors(self) -> tuple[int, ...]:
        return self._task.factors

    @property
    def labels(self) -> np.ndarray:
        return self._labels

    def start(self, epoch: int) -> None:
        number, portions = self._ahead
        if number != epoch:
            portions = self._order(epoch)
        drawn = [portion.result() for portion in portions]
        self._ahead = (epoch + 1, self._order(epoch + 1))
        self._pictures = np.concatenate([pictures for pictures, _ in drawn])
        self._labels = np.concatenate([labels for _, labels in drawn])

    def take(self, rows: np.ndarray) -> np.ndarray:
        return self._pictures[rows]

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _order(self, epoch: int) -> list[Future]:
        """Have an epoch drawn."""
        first = epoch * self._count
        end = first + self._count
        return [
            self._pool.submit(self._task.draw_all, start, min(start + _PORTION, end))
            for start in range(first, end, _PORTION)
        ]


def _be_modest() -> None:
    """Leave the processors to the training where there are too few for both."""
    os.nice(5)
