"""What every executor does, whatever its jobs run on. A new one joins EXECUTORS."""

from __future__ import annotations

import signal

import pytest
from tiny_jobs import PATIENCE, Asks, Dies, Meets, Raises, Returns, end_of, local_executor

from tlsearch.errors import DataError, NonFiniteLossError, WeightsError
from tlsearch.execution.events import Decision, EpochEnded, Failed, Finished, Started

EXECUTORS = {"local": local_executor}


@pytest.fixture(scope="module", params=sorted(EXECUTORS))
def make(request, tmp_path_factory):
    """The executor with so many workers, idle; tests share it, as jobs share its workers."""
    made = {}

    def make_one(workers=1):
        if workers not in made:
            made[workers] = EXECUTORS[request.param](tmp_path_factory.mktemp("logs"), workers)
        assert made[workers].running == frozenset()
        return made[workers]

    yield make_one
    for executor in made.values():
        executor.close()


class TestExecutor:
    def test_a_job_comes_back_with_what_it_returns(self, make):
        executor = make()
        executor.submit(Returns(3, {"a": [1, 2.5]}))
        assert executor.running == {3}
        assert end_of(executor, 3) == [Finished(3, {"a": [1, 2.5]})]
        assert executor.running == frozenset()

    def test_events_come_in_order_and_each_epoch_waits_for_its_answer(self, make):
        executor = make()
        executor.submit(Asks(0, (0.2, 0.6, 0.4)))
        *events, last = end_of(executor, 0)
        assert events[0] == Started(0, 10, 5)
        assert [event.epoch for event in events[1:]] == [1, 2, 3]
        assert [event.metrics["val_accuracy"] for event in events[1:]] == [0.2, 0.6, 0.4]
        assert (last.result.state, last.result.value, last.result.best_epoch) == (
            "complete",
            0.6,
            2,
        )

    @pytest.mark.parametrize(
        ("decision", "state"), [(Decision.PRUNE, "pruned"), (Decision.STOP, "interrupted")]
    )
    def test_the_answer_ends_a_job(self, make, decision, state):
        executor = make()
        executor.submit(Asks(0, (0.2, 0.6)))
        events = end_of(executor, 0, decision)
        assert sum(isinstance(event, EpochEnded) for event in events) == 1
        assert events[-1].result.state == state

    @pytest.mark.parametrize(
        ("error", "kind", "reason"),
        [
            (NonFiniteLossError("the loss is nan"), "nan_loss", "the loss is nan"),
            (MemoryError("no room"), "out_of_memory", "MemoryError: no room"),
            (RuntimeError("RESOURCE_EXHAUSTED: OOM"), "out_of_memory", "RESOURCE_EXHAUSTED"),
            (WeightsError("no weights", hint="fetch them"), "setup", "next: fetch them"),
            (DataError("odd photos", hint="other ones"), "unreadable_data", "next: other ones"),
            (OSError(28, "No space left on device"), "disk_full", "No space left"),
            (EOFError("a file cut short"), "error", "a file cut short"),
            (KeyError("x"), "error", "KeyError: 'x'"),
            (ValueError(), "error", "ValueError"),
        ],
        ids=lambda value: value if isinstance(value, str) and value.isidentifier() else "",
    )
    def test_a_failure_has_its_kind_and_reason(self, make, error, kind, reason):
        executor = make()
        executor.submit(Raises(1, error))
        (failed,) = end_of(executor, 1)
        assert isinstance(failed, Failed)
        assert failed.kind == kind
        assert reason in failed.reason
        assert "Traceback" in failed.details

    @pytest.mark.parametrize(
        ("job", "how"),
        [
            (Dies(1), "exit status 7"),
            (Dies(1, signal.SIGKILL), "signal 9"),
            (Dies(1, signal.SIGSEGV), "signal 11"),
        ],
        ids=["exit", "SIGKILL", "SIGSEGV"],
    )
    def test_a_dead_worker_is_a_failure_and_is_replaced(self, make, job, how):
        executor = make()
        executor.submit(job)
        (failed,) = end_of(executor, 1)
        assert failed.kind == "worker_lost"
        assert how in failed.reason
        assert executor.running == frozenset()
        executor.submit(Returns(2, "alive"))
        assert end_of(executor, 2) == [Finished(2, "alive")]

    def test_as_many_jobs_at_once_as_it_has_workers(self, make, tmp_path):
        executor = make(2)
        assert executor.capacity == 2
        executor.submit(Meets(0, tmp_path, other=1))
        executor.submit(Meets(1, tmp_path, other=0))
        assert executor.running == {0, 1}
        results = {}
        while len(results) < 2:
            events = executor.wait(timeout=PATIENCE)
            assert events, "neither job came to its end"
            results |= {event.trial: event.result for event in events}
        assert results == {0: True, 1: True}

    def test_one_of_two_dies_and_the_other_goes_on(self, make, tmp_path):
        executor = make(2)
        executor.submit(Dies(0))
        executor.submit(Asks(1, (0.5,)))
        ends = {}
        while len(ends) < 2:
            for event in executor.wait(timeout=PATIENCE):
                if isinstance(event, EpochEnded):
                    executor.answer(event.trial, Decision.CONTINUE)
                if isinstance(event, Finished | Failed):
                    ends[event.trial] = event
        assert isinstance(ends[0], Failed)
        assert ends[1].result.state == "complete"

    def test_nothing_happens_within_the_timeout(self, make):
        assert make().wait(timeout=0.01) == []

    def test_answering_a_trial_that_is_gone_does_nothing(self, make):
        make().answer(99, Decision.STOP)
