"""Groups of pieces at the model: run chunk by chunk, each piece with its answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator

import numpy as np

from serving.observations import Run, sample_values
from serving.pieces import Outcome, Piece
from serving.problems import expired, failed
from serving.session import Images, Probabilities

log = logging.getLogger(__name__)

Predict = Callable[[Images], Probabilities]
Answers = list[tuple[Piece, Outcome]]
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

    def run(self, group: list[Piece]) -> tuple[Answers, list[Run]]:
        """An answer for each piece, and the runs that were made for them."""
        answers: Answers = []
        runs: list[Run] = []
        for pieces in _chunks(group, self._chunk):
            self._answer(pieces, answers, runs)
        return answers, runs

    def _answer(self, pieces: list[Piece], answers: Answers, runs: list[Run]) -> None:
        started = time.monotonic()
        late = [piece for piece in pieces if piece.deadline < started]
        if late:
            answers += [(one, Outcome(None, expired(), started - one.arrived)) for one in late]
            pieces = [piece for piece in pieces if piece.deadline >= started]
        if pieces:
            run = self._run(pieces, started)
            answers += _refused(pieces, started) if run is None else _shared(pieces, run)
            runs += [run] if run else []

    def _run(self, pieces: list[Piece], started: float) -> Run | None:
        """One call of the model; nothing if it fails."""
        images = pieces[0].images
        if len(pieces) > 1:
            images = np.concatenate([piece.images for piece in pieces])
        try:
            sample = sample_values(images)
            probabilities = self._predict(images)
        except Exception:
            log.exception("the model failed on a batch of %d", len(images))
            return None
        waited = [started - piece.arrived for piece in pieces]
        return Run(sample, probabilities, waited, time.monotonic() - started)


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
