from __future__ import annotations

import asyncio
import math
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_bundle import SIZE

from serving import Bundle, Engine
from serving.batching import Batcher, BatchPlan
from serving.curve import BatchCurve
from serving.observations import Observations
from serving.problems import Problem

SPOILED = 255
LABELS = ["a", "b"]


def numbered(*numbers: int) -> np.ndarray:
    """A photo for each number, which the answer has to show again."""
    images = np.zeros((len(numbers), 2, 2, 3), np.uint8)
    images[:, 0, 0, 0] = numbers
    return images


def rows(*numbers: int) -> list[list[float]]:
    return [[float(number), 1.0] for number in numbers]


class Model:
    """Shows each photo's number; fails on a spoiled photo; waits while `gate` is shut."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.batches: list[int] = []
        self.began = threading.Semaphore(0)

    def __call__(self, images):
        self.batches.append(len(images))
        self.began.release()
        assert self.gate.wait(20)
        numbers = images[:, 0, 0, 0].astype(np.float32)
        if (numbers == SPOILED).any():
            raise RuntimeError("spoiled")
        return np.stack([numbers, np.ones_like(numbers)], 1)


@pytest.fixture
def model():
    return Model()


@pytest.fixture
def seen():
    return Observations("m", "1", LABELS)


def statuses(outcomes) -> list[int]:
    return [outcome.problem.status if outcome.problem else 200 for outcome in outcomes]


requests = st.lists(
    st.tuples(
        st.lists(st.sampled_from([1, 2, 3, 4, 5, 6, 7, SPOILED]), min_size=1, max_size=9),
        st.sampled_from([None, 60.0, -1.0]),
    ),
    min_size=1,
    max_size=30,
)
plans = st.builds(
    BatchPlan,
    chunk=st.integers(1, 5),
    group=st.integers(1, 12),
    workers=st.integers(0, 3),
    limit=st.integers(1, 40),
)


@settings(max_examples=60, deadline=None)
@given(requests, plans, st.integers(0, 30))
def test_every_request_gets_exactly_one_answer_and_its_own(requests, plan, pause):
    """However full the queue is, whatever expires or fails, and though it ends in the midst."""
    given: list[list] = [[] for _ in requests]

    async def check():
        batcher = Batcher(Model(), plan, Observations("m", "1", LABELS))
        for number, (photos, seconds) in enumerate(requests):
            deadline = None if seconds is None else time.monotonic() + seconds
            batcher.submit(numbered(*photos), deadline, given[number].append)
            if number == pause:
                await asyncio.sleep(0.001)
        ending = asyncio.create_task(batcher.drain())
        await asyncio.sleep(0)
        late: list = []
        batcher.submit(numbered(1), None, late.append)
        await ending
        assert (statuses(late), batcher.waiting) == ([503], 0)

    asyncio.run(check())
    for (photos, seconds), outcomes in zip(requests, given, strict=True):
        assert len(outcomes) == 1
        probabilities, problem, *_ = outcomes[0]
        allowed = {413} if len(photos) > plan.limit else {503, 500, 200}
        allowed = allowed | {504} - {200} if seconds == -1.0 else allowed - {504}
        if SPOILED in photos:
            allowed -= {200}
        assert statuses(outcomes)[0] in allowed
        assert (probabilities is None) != (problem is None)
        if probabilities is not None:
            assert probabilities.tolist() == rows(*photos)


def test_a_full_queue_is_refused_with_the_time_that_it_takes(model, seen):
    async def check():
        batcher = Batcher(model, BatchPlan(1, 2, 2, 6, seconds=3.0), seen)
        model.gate.clear()
        outcomes: list = []
        for _ in range(6):
            batcher.submit(numbered(1), None, outcomes.append)
        batcher.submit(numbered(2), None, outcomes.append)
        assert statuses(outcomes) == [503]
        assert outcomes[0].problem.retry_after == 6 * 3 / 2
        model.gate.set()
        await batcher.drain()
        assert sorted(statuses(outcomes)) == [200] * 6 + [503]

    asyncio.run(check())
    assert seen.counts().requests["overloaded"] == 1


def test_the_time_to_wait_follows_what_was_measured(model):
    async def check():
        batcher = Batcher(model, BatchPlan(1, 1, 1, 2, seconds=100.0))
        for _ in range(100):
            await batcher.predict(numbered(1))
        model.gate.clear()
        outcomes: list = []
        for _ in range(3):
            batcher.submit(numbered(1), None, outcomes.append)
        assert outcomes[0].problem.retry_after < 100
        model.gate.set()
        await batcher.drain()

    asyncio.run(check())


def test_more_photos_than_may_wait_are_never_accepted(model):
    async def check():
        with pytest.raises(Problem, match="send fewer"):
            await Batcher(model, BatchPlan(limit=3)).predict(numbered(1, 2, 3, 4))

    asyncio.run(check())


def test_expired_work_is_not_run(model, seen):
    async def check():
        batcher = Batcher(model, BatchPlan(1, 8, 1), seen)
        model.gate.clear()
        first = asyncio.create_task(batcher.predict(numbered(1)))
        await asyncio.to_thread(model.began.acquire)
        outcomes: list = []
        batcher.submit(numbered(2, 3), time.monotonic() + 0.01, outcomes.append)
        batcher.submit(numbered(4), None, outcomes.append)
        await asyncio.sleep(0.02)
        model.gate.set()
        await first
        await batcher.drain()
        assert sorted(statuses(outcomes)) == [200, 504]

    asyncio.run(check())
    assert model.batches == [1, 1]
    assert seen.counts().requests["expired"] == 1


def test_a_failure_is_that_of_its_chunk_and_the_worker_lives_on(model, caplog):
    async def check():
        batcher = Batcher(model, BatchPlan(2, 8, 1))
        model.gate.clear()
        outcomes: list = []
        for number in (1, SPOILED, 2, 3):
            batcher.submit(numbered(number, number), None, outcomes.append)
        model.gate.set()
        assert (await batcher.predict(numbered(7))).tolist() == rows(7)
        await batcher.drain()
        assert statuses(outcomes) == [200, 500, 200, 200]
        assert "spoiled" not in str(outcomes[1].problem)

    asyncio.run(check())
    assert "spoiled" in caplog.text


def test_an_answer_that_cannot_be_given_keeps_no_other_back(model, caplog):
    def broken(outcome):
        raise ValueError("the client is gone")

    async def check():
        batcher = Batcher(model, BatchPlan(1, 8, 1))
        outcomes: list = []
        batcher.submit(numbered(1), None, broken)
        batcher.submit(numbered(2), None, outcomes.append)
        await batcher.drain()
        assert statuses(outcomes) == [200]

    asyncio.run(check())
    assert "the client is gone" in caplog.text


def test_requests_that_wait_run_together_and_large_ones_apart(model):
    async def check():
        batcher = Batcher(model, BatchPlan(4, 16, 1))
        model.gate.clear()
        first = asyncio.create_task(batcher.predict(numbered(9)))
        await asyncio.to_thread(model.began.acquire)
        asked = [(1,), (2, 3), (4,), (5, 6, 7, 8, 9, 10), (11, 12)]
        answers = [asyncio.create_task(batcher.predict(numbered(*one))) for one in asked]
        await asyncio.sleep(0)
        model.gate.set()
        assert (await first).tolist() == rows(9)
        for one, answer in zip(asked, answers, strict=True):
            assert (await answer).tolist() == rows(*one)
        await batcher.drain()

    asyncio.run(check())
    assert model.batches == [1, 4, 4, 4]


def test_a_photo_alone_is_not_copied():
    images, given = numbered(1), []

    async def check():
        batcher = Batcher(
            lambda one: (given.append(one), np.ones((1, 2), np.float32))[1], BatchPlan()
        )
        await batcher.predict(images)
        await batcher.drain()

    asyncio.run(check())
    assert given[0] is images


def test_a_cancelled_caller_leaves_the_others_alone(model):
    async def check():
        batcher = Batcher(model, BatchPlan(1, 8, 1))
        model.gate.clear()
        one, other = (asyncio.create_task(batcher.predict(numbered(n))) for n in (1, 2))
        await asyncio.sleep(0)
        one.cancel()
        model.gate.set()
        assert (await other).tolist() == rows(2)
        await batcher.drain()

    asyncio.run(check())


def test_threads_end_with_the_queue(model):
    async def check():
        before = threading.active_count()
        batcher = Batcher(model, BatchPlan(1, 8, 3))
        await batcher.predict(numbered(1))
        assert threading.active_count() >= before + 3
        await batcher.drain()
        await batcher.drain()
        assert not [one for one in threading.enumerate() if one.name.startswith("model-")]

    asyncio.run(check())


def test_the_loop_itself_fills_chunks_and_hears_others_between_them(model):
    heard: list[int] = []

    async def check():
        batcher = Batcher(model, BatchPlan(chunk=2, workers=0))
        before = threading.active_count()
        outcomes: list = []
        for _ in range(5):
            batcher.submit(numbered(1), None, outcomes.append)
        loop = asyncio.get_running_loop()
        loop.call_soon(lambda: heard.append(len(outcomes)))
        await batcher.drain()
        assert statuses(outcomes) == [200] * 5
        assert not [one for one in threading.enumerate() if one.name.startswith("model-")]
        assert threading.active_count() <= before + 1  # the thread that drained

    asyncio.run(check())
    assert (model.batches, heard) == ([2, 2, 1], [2])


def test_workers_end_when_the_loop_is_gone(model):
    async def check():
        batcher = Batcher(model, BatchPlan(1, 8, 2))
        model.gate.clear()
        batcher.submit(numbered(1), None, print)

    asyncio.run(check())
    mine = [one for one in threading.enumerate() if one.name.startswith("model-")]
    model.gate.set()
    for thread in mine:
        thread.join(20)
        assert not thread.is_alive()


@pytest.mark.parametrize("workers", [0, 2])
def test_many_at_once_on_the_real_model(bundle_folder, workers):
    engine = Engine(Bundle.open(bundle_folder))
    photos = np.random.default_rng(1).integers(0, 256, (300, SIZE, SIZE, 3), dtype=np.uint8)
    expected = engine.predict(photos)

    async def check():
        batcher = Batcher(engine.run, BatchPlan(4, 16, workers, limit=1000))
        parts = np.split(photos, range(3, 300, 3))
        given = await asyncio.gather(*(batcher.predict(part) for part in parts))
        await batcher.drain()
        np.testing.assert_allclose(np.concatenate(given), expected, atol=1e-6)

    asyncio.run(check())


def test_the_plan_follows_the_curve():
    small = BatchPlan.of(BatchCurve({1: 0.001, 2: 0.0021}), workers=2, limit=50)
    assert (small.chunk, small.group, small.workers, small.limit) == (1, 10, 2, 50)
    large = BatchPlan.of(BatchCurve({1: 0.020, 32: 0.025}), workers=1)
    assert (large.chunk, large.group) == (32, 32)
    assert large.seconds == pytest.approx(0.025 / 32)
    assert math.isinf(BatchPlan.of(BatchCurve({1: 1e-9}), 1).group) is False
