"""Groups of pieces at the model: run chunk by chunk, each piece with its answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator

import numpy as np

from serving.observations import Run, sample_values
from serving.pieces import Outcome, Piece, Unread
from serving.problems import Problem, expired, failed
from serving.session import Images, Probabilities

log = logging.getLogger(__name__)

GROUP_SECONDS = 0.010
"""How long a worker computes, as far as is known before, until it brings answers back."""
_LATE_SECONDS = 2 * GROUP_SECONDS

Predict = Callable[[Images], Probabilities]
Answers = list[tuple[Piece, Outcome]]
Portion = tuple[Answers, list[Run]]
"""Answers, and the runs that were made for them."""
Deliver = Callable[[Answers, list[Run]], None]


class Runner:
    """Runs groups, in whatever thread calls it."""

    def __init__(self, predict: Predict, chunk: int) -> None:
        """Take the model.

        Args:
            predict: called with at most `chunk` photos, unless one piece has more.
        """
        self._predict = predict
        self._chunk = chunk

    def run(self, group: list[Piece]) -> Iterator[Portion]:
        """An answer for each piece, all together, or in portions if it takes long."""
        answers: Answers = []
        runs: list[Run] = []
        late = time.monotonic() + _LATE_SECONDS
        for pieces in _chunks(group, self._chunk):
            if answers and time.monotonic() > late:
                yield answers, runs
                answers, runs = [], []
                late = time.monotonic() + _LATE_SECONDS
            self._answer(pieces, answers, runs)
        yield answers, runs

    def _answer(self, pieces: list[Piece], answers: Answers, runs: list[Run]) -> None:
        started = time.monotonic()
        late = [piece for piece in pieces if piece.deadline < started]
        if late:
            answers += [(one, Outcome(None, expired(), started - one.arrived)) for one in late]
            pieces = [piece for piece in pieces if piece.deadline >= started]
        pieces = [piece for piece in pieces if _is_read(piece, started, answers)]
        if pieces:
            run = self._run(pieces, started)
            answers += _refused(pieces, started) if run is None else _shared(pieces, run)
            runs += [run] if run else []

    def _run(self, pieces: list[Piece], started: float) -> Run | None:
        """One call of the model; nothing if it fails."""
        images = _join(pieces)
        began = time.monotonic()
        try:
            sample = sample_values(images)
            probabilities = self._predict(images)
        except Exception:
            log.exception("the model failed on a batch of %d", len(images))
            return None
        waited = [started - piece.arrived for piece in pieces]
        return Run(sample, probabilities, waited, time.monotonic() - began, began - started)


def _chunks(group: list[Piece], most: int) -> Iterator[list[Piece]]:
    """Neighbours that fit into one run together."""
    chunk: list[Piece] = []
    photos = 0
    for piece in group:
        if chunk and photos + len(piece.images) > most:
            yield chunk
            chunk, photos = [], 0
        chunk.append(piece)
        photos += len(piece.images)
    if chunk:
        yield chunk


def _is_read(piece: Piece, started: float, answers: Answers) -> bool:
    """Whether its photos are there, read by now; if not, what is wrong becomes its answer."""
    if not isinstance(piece.images, Unread):
        return True
    try:
        piece.images = piece.images.read()
    except Problem as problem:
        wrong = problem
    except Exception:
        log.exception("a photo could not be read")
        wrong = failed()
    else:
        return True
    answers.append((piece, Outcome(None, wrong, started - piece.arrived)))
    return False


def _join(pieces: list[Piece]) -> Images:
    images = [piece.images for piece in pieces if not isinstance(piece.images, Unread)]
    return images[0] if len(images) == 1 else np.concatenate(images)


def _refused(pieces: list[Piece], started: float) -> Answers:
    return [(piece, Outcome(None, failed(), started - piece.arrived)) for piece in pieces]


def _shared(pieces: list[Piece], run: Run) -> Answers:
    """To each piece its rows."""
    rows = run.probabilities
    size = len(rows)
    if len(pieces) == 1:
        return [(pieces[0], Outcome(rows, None, run.waited[0], run.seconds, size))]
    answers, start = [], 0
    for piece, waited in zip(pieces, run.waited, strict=True):
        end = start + len(piece.images)
        answers.append((piece, Outcome(rows[start:end], None, waited, run.seconds, size)))
        start = end
    return answers
