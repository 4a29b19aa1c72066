"""Jobs of a few lines that stand in for training, and the executor and study they run in.

A worker imports this module by its name, so it imports nothing heavy.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tlsearch.execution.events import (
    Decision,
    EpochEnded,
    Failed,
    Finished,
    PrefixJudged,
    Resumed,
    Started,
    Warned,
)
from tlsearch.execution.executor import Executor, Job
from tlsearch.execution.local.executor import LocalExecutor
from tlsearch.execution.pulse import beat
from tlsearch.training.job import TrialResult

PATIENCE = 60
"""Seconds after which a test gives up on something that should happen at once."""


@dataclass(frozen=True)
class Returns:
    """Comes back with a value."""

    trial: int
    value: object = None

    def run(self, channel):
        return self.value


@dataclass(frozen=True)
class Raises:
    """Fails."""

    trial: int
    error: Exception

    def run(self, channel):
        raise self.error


@dataclass(frozen=True)
class TellsPid:
    """Comes back with the worker's process id and one of its environment variables."""

    trial: int
    variable: str = "CUDA_VISIBLE_DEVICES"

    def run(self, channel):
        return os.getpid(), os.environ.get(self.variable)


@dataclass(frozen=True)
class HasImported:
    """Comes back with whether the worker had imported a module before."""

    trial: int
    module: str = "keras"

    def run(self, channel):
        return self.module in sys.modules


@dataclass(frozen=True)
class Dies:
    """Ends its process: by a signal, or with an exit status."""

    trial: int
    signal: int | None = None

    def run(self, channel):
        if self.signal is None:
            os._exit(7)
        os.kill(os.getpid(), self.signal)
        time.sleep(PATIENCE)


@dataclass(frozen=True)
class Aborts:
    """Ends its process as C++ does when nobody catches: with last words, then a signal."""

    trial: int
    words: str

    def run(self, channel):
        os.write(2, self.words.encode())
        os.abort()


@dataclass(frozen=True)
class Works:
    """Says nothing for a while; each piece of its work is counted."""

    trial: int
    seconds: float

    def run(self, channel):
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            beat()
            time.sleep(0.05)
        return os.getpid()


@dataclass(frozen=True)
class Asks:
    """Trains in name only: an epoch for each value, as long as it is told to continue."""

    trial: int
    values: tuple[float, ...]
    metric: str = "val_accuracy"
    fatal_starts: int = 0
    """How many starts end with the death of the worker after the first epoch."""
    folder: Path | None = None

    def run(self, channel):
        channel.send(Started(self.trial, 10, 5))
        decision = Decision.CONTINUE
        for epoch, value in enumerate(self.values, start=1):
            decision = channel.ask(EpochEnded(self.trial, epoch, {self.metric: value}, 0.5))
            self._die_if_due()
            if decision is not Decision.CONTINUE:
                break
        return self._result(epoch, decision)

    def _die_if_due(self):
        if self.folder is None:
            return
        starts = len(list(self.folder.glob(f"{self.trial}-*")))
        if starts < self.fatal_starts:
            (self.folder / f"{self.trial}-{starts}").touch()
            os.kill(os.getpid(), signal.SIGKILL)

    def _result(self, epochs, decision):
        states = {Decision.PRUNE: "pruned", Decision.STOP: "interrupted"}
        best = max(self.values[:epochs])
        return TrialResult(
            state=states.get(decision, "complete"),
            value=best,
            best_epoch=self.values.index(best) + 1,
            epochs=epochs,
            metrics={self.metric: best, "val_loss": 1 - best},
            seconds=1.0,
            photos_per_second=10.0,
        )


@dataclass(frozen=True)
class Fits(Asks):
    """Has memory for so many parts of a batch or more, not for fewer."""

    parts: int = 1
    needed: int = 4

    def run(self, channel):
        if self.parts < self.needed:
            raise MemoryError(f"no room for 1/{self.parts} of a batch")
        return super().run(channel)


@dataclass(frozen=True)
class Freezes(Asks):
    """Is stopped in its second epoch, as by `kill -STOP`, when it is started for the first time."""

    def run(self, channel):
        start = self.folder / f"frozen-{self.trial}"
        if not start.exists():
            channel.ask(EpochEnded(self.trial, 1, {self.metric: self.values[0]}, 0.5))
            start.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGSTOP)
        return super().run(channel)


@dataclass(frozen=True)
class Resumes(Asks):
    """Goes on after some epochs that an earlier start has trained, and has something to say."""

    done: int = 1

    def run(self, channel):
        channel.send(Started(self.trial, 10, 5))
        channel.send(Warned(self.trial, "a checkpoint was damaged"))
        earlier = [{self.metric: value} for value in self.values[: self.done]]
        decision = channel.ask(Resumed(self.trial, earlier, [0.5] * self.done))
        epoch = self.done
        while decision is Decision.CONTINUE and epoch < len(self.values):
            epoch += 1
            metrics = {self.metric: self.values[epoch - 1]}
            decision = channel.ask(EpochEnded(self.trial, epoch, metrics, 0.5))
        return self._result(epoch, decision)


@dataclass(frozen=True)
class Crawls(Asks):
    """Goes on after all epochs of earlier starts, and dies after one more, except the last."""

    def run(self, channel):
        done = len(list(self.folder.glob(f"{self.trial}-*")))
        channel.send(Started(self.trial, 10, 5))
        if done:
            earlier = [{self.metric: value} for value in self.values[:done]]
            channel.ask(Resumed(self.trial, earlier, [0.5] * done))
        channel.ask(EpochEnded(self.trial, done + 1, {self.metric: self.values[done]}, 0.5))
        if done + 1 < len(self.values):
            (self.folder / f"{self.trial}-{done}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return self._result(done + 1, Decision.CONTINUE)


@dataclass(frozen=True)
class Limited:
    """Another job, in a process that may grow by so many bytes once the framework has begun."""

    trial: int
    job: Job
    room: int

    def run(self, channel):
        import keras
        import numpy as np

        model = keras.Sequential([keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(np.zeros((8, 2)), np.zeros((8, 1)), verbose=0)
        status = Path("/proc/self/status").read_text().splitlines()
        kilobytes = next(line.split()[1] for line in status if line.startswith("VmSize"))
        most = int(kilobytes) * 1024 + self.room
        resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
        return self.job.run(channel)


@dataclass(frozen=True)
class Judges(Asks):
    """Says of each of some cuts whether it is stored."""

    cuts: tuple[tuple[str, bool], ...] = ()

    def run(self, channel):
        for cut, stores in self.cuts:
            channel.send(PrefixJudged(self.trial, "MobileNet", 96, cut, stores, 8, "it pays"))
        return super().run(channel)


@dataclass(frozen=True)
class Meets:
    """Waits until another job of its kind runs at the same time."""

    trial: int
    folder: Path
    other: int

    def run(self, channel):
        (self.folder / str(self.trial)).touch()
        end = time.monotonic() + PATIENCE
        while not (self.folder / str(self.other)).exists():
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True


@dataclass(frozen=True)
class Sleeps:
    """Says that it has begun, then does not come back for a long time."""

    trial: int
    begun: Path

    def run(self, channel):
        self.begun.write_text(str(os.getpid()))
        time.sleep(10 * PATIENCE)


@dataclass
class Unsendable:
    """Comes back with something that cannot be pickled."""

    trial: int
    extra: dict = field(default_factory=dict)

    def run(self, channel):
        return lambda: None


def local_executor(logs: Path, workers: int = 1, timeout: float | None = None) -> LocalExecutor:
    """An executor whose workers find this module."""
    places = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    path = os.pathsep.join(filter(None, places))
    return LocalExecutor(workers, logs, {"PYTHONPATH": path}, timeout)


def end_of(executor: Executor, trial: int, decision: Decision = Decision.CONTINUE):
    """All events of one job up to its end; every epoch gets the same answer."""
    seen = []
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for event in executor.wait(timeout=1.0):
            seen.append(event)
            if isinstance(event, EpochEnded | Resumed):
                executor.answer(event.trial, decision)
            if isinstance(event, Finished | Failed) and event.trial == trial:
                return seen
    raise AssertionError(f"trial {trial} did not end; {seen}")


def wait_until(happens) -> bool:
    """Whether something happens before patience runs out."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if happens():
            return True
        time.sleep(0.05)
    return False


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that nobody has collected yet counts as dead."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
