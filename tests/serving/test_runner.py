"""Photos that are read by whoever runs the model, and groups that take long."""

from __future__ import annotations

import asyncio
import threading
import time

import numpy as np
import pytest

from serving.batching import Batcher, BatchPlan
from serving.observations import Observations
from serving.pieces import Piece, Unread
from serving.problems import Problem
from serving.runner import Runner

WORKERS = [0, 1, 2]


class Numbered(Unread):
    """A photo of one pixel, or why it is none; remembers which thread read it."""

    def __init__(self, number, error: Exception | None = None):
        self.number = number
        self.error = error
        self.read_in: list[str] = []

    def read(self):
        self.read_in.append(threading.current_thread().name)
        if self.error is not None:
            raise self.error
        return pixel(self.number)


def pixel(number):
    return np.full((1, 1, 1, 3), number, np.uint8)


def predict(images):
    numbers = images[:, 0, 0, 0].astype(np.float32)
    return np.stack([numbers, np.ones_like(numbers)], 1)


def answers(photos, plan, deadline=None, seen=None):
    """What each photo gets, in their order: its number, or a status."""

    async def ask():
        batcher = Batcher(predict, plan, seen)
        outcomes = {}
        for place, photo in enumerate(photos):
            batcher.submit(photo, deadline, lambda one, place=place: outcomes.update({place: one}))
        await batcher.drain()
        return [outcomes[place] for place in range(len(photos))]

    return [
        outcome.problem.status if outcome.problem else outcome.probabilities[0, 0]
        for outcome in asyncio.run(ask())
    ]


@pytest.mark.parametrize("workers", WORKERS)
@pytest.mark.parametrize("chunk", [1, 2, 5])
def test_photos_read_and_unread_run_together(workers, chunk):
    photos = [Numbered(1), pixel(2), Numbered(3), Numbered(4), pixel(5)]
    assert answers(photos, BatchPlan(chunk, 10, workers)) == [1, 2, 3, 4, 5]
    name = "model-" if workers else threading.current_thread().name
    read_in = [photo.read_in for photo in photos if isinstance(photo, Numbered)]
    assert all(len(names) == 1 and names[0].startswith(name) for names in read_in)


@pytest.mark.parametrize("workers", WORKERS)
def test_what_cannot_be_read_is_its_own_problem_alone(workers, caplog):
    seen = Observations("m", "1", ["a", "b"])
    wrong = Numbered(2, Problem(422, "Unreadable photo", "it is cut off"))
    broken = Numbered(3, ZeroDivisionError("a bug"))
    photos = [Numbered(1), wrong, broken, Numbered(4)]
    assert answers(photos, BatchPlan(4, 8, workers), seen=seen) == [1, 422, 500, 4]
    assert "a bug" in caplog.text
    requests = seen.counts().requests
    assert [requests[word] for word in ("ok", "invalid", "failed")] == [2, 1, 1]


@pytest.mark.parametrize("workers", WORKERS)
def test_an_expired_photo_is_not_read(workers):
    photo = Numbered(1)
    assert answers([photo], BatchPlan(workers=workers), time.monotonic() - 1) == [504]
    assert photo.read_in == []


@pytest.mark.parametrize("workers", WORKERS)
def test_a_photo_that_finds_no_room_is_not_read(workers):
    photos = [Numbered(number) for number in range(5)]
    given = answers(photos, BatchPlan(workers=workers, limit=3))
    assert given == [0, 1, 2, 503, 503]
    assert [len(photo.read_in) for photo in photos] == [1, 1, 1, 0, 0]


def test_the_time_to_wait_counts_reading_too():
    class Slow(Numbered):
        def read(self):
            time.sleep(0.02)
            return super().read()

    async def ask():
        batcher = Batcher(predict, BatchPlan(limit=70, seconds=0.0))
        for _ in range(20):
            await batcher.predict(Slow(1))
        outcomes = []
        for _ in range(71):
            batcher.submit(Slow(1), None, outcomes.append)
        await batcher.drain()
        return outcomes[0].problem

    assert asyncio.run(ask()).retry_after == 2


def test_a_group_that_takes_long_is_answered_in_portions():
    def slowly(images):
        time.sleep(0.012)
        return predict(images)

    group = [Piece(pixel(number), np.inf, print, 0.0) for number in range(6)]
    portions = list(Runner(slowly, 1).run(group))
    assert len(portions) > 1
    assert [piece for answers, _ in portions for piece, _ in answers] == group
    assert all(answers for answers, _ in portions)


def test_a_quick_group_is_answered_at_once():
    group = [Piece(pixel(number), np.inf, print, 0.0) for number in range(3)]
    ((answered, runs),) = Runner(predict, 2).run(group)
    assert len(answered) == 3
    assert [len(run.probabilities) for run in runs] == [2, 1]
