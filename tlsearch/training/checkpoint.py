"""Checkpoints of a trial that is being trained, so that a later start goes on where this one ended.

    checkpoint-00012.npz    everything that the epochs after the twelfth depend on

The one before the newest is kept too: if the newest is damaged, it steps in. A checkpoint names
what its trial is made by; one of another trial is passed over.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np

from tlsearch.config.schema import Objective
from tlsearch.execution.events import Decision
from tlsearch.files import keep
from tlsearch.training.fit import Progress, Saved
from tlsearch.training.learner import Learner, State
from tlsearch.training.weights import flatten, unflatten

GATHERED = 0.5
"""Epochs are gathered for so many seconds of training before a checkpoint is written: a head has
epochs of 20 ms, and a checkpoint of it takes 3 to 7 ms of a core, 0.5 to 0.9 of them in the thread
that trains. A kill costs so much at most where epochs are shorter, else one epoch."""
_LEARNER, _KNOWN, _BEST = "learner/", "known/", "best/"
_ANSWERS, _FACTS = "answers", "facts"
_PLAIN = ("epochs", "seconds", "best_epoch", "best_value", "phase", "first", "stale", "elapsed")
"""What of a progress the facts hold."""


class Checkpoints:
    """Those of one trial. Use it in a `with` block; `clear` when they are no longer needed.

    Args:
        folder: of the trial.
        made_by: stands for everything that decides what the trial learns.
        warn: is told what goes wrong, on the thread that calls.
    """

    def __init__(self, folder: Path, made_by: str, warn: Callable[[str], None]) -> None:
        self._folder = folder
        self._made_by = made_by
        self._warn = warn
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoints")
        self._pending: Future[None] | None = None
        self._has_warned = False
        self._taken = 0
        """The epoch of the last one that was loaded or taken to be written."""
        self._whole = 0
        """The epoch of the last one that is on the disk."""

    def __enter__(self) -> Checkpoints:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._finish_writing()
        self._thread.shutdown()

    def load(self, objective: Objective) -> Saved | None:
        """The newest that is whole and of this trial; None where there is none."""
        for file in sorted(self._files(), reverse=True):
            try:
                found = _read(file, self._made_by, objective)
            except _DAMAGED as error:
                self._warn(f"{file} is damaged and not used ({type(error).__name__}: {error})")
                continue
            if found is not None:
                self._taken = self._whole = len(found.progress.epochs)
                return found
        return None

    def save(self, progress: Progress, learner: Learner) -> None:
        """Take a copy now and write it in the background, if enough has come since the last one.

        Where training is to stop it is taken in any case. It waits for the one before to be
        written. A disk that cannot be written to keeps nobody from training.
        """
        epoch, since = len(progress.epochs), sum(progress.seconds[self._taken :])
        stops = progress.decision is Decision.STOP
        if epoch == self._taken or not (stops or since >= GATHERED):
            return
        self._finish_writing()
        arrays = _pack(progress, learner.state(), self._made_by)
        self._taken = epoch
        self._pending = self._thread.submit(self._write, epoch, arrays)

    def clear(self) -> None:
        """Remove them, and what an earlier start left half written."""
        self._finish_writing()
        for file in [*self._files(), *self._folder.glob("writing-*")]:
            with suppress(OSError):
                file.unlink()
        self._taken = self._whole = 0

    def _finish_writing(self) -> None:
        if self._pending is None:
            return
        pending, self._pending = self._pending, None
        try:
            pending.result()
        except OSError as error:
            if not self._has_warned:
                self._has_warned = True
                self._warn(f"no checkpoint can be written, training goes on without ({error})")

    def _write(self, epoch: int, arrays: dict[str, np.ndarray]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        # Under this process' name: a worker that was given up may still be writing.
        written = self._folder / f"writing-{os.getpid()}-checkpoint.npz"
        try:
            np.savez(written, **arrays)  # type: ignore[arg-type]
            keep(written, self._file(epoch))
        except BaseException:
            written.unlink(missing_ok=True)
            raise
        before, self._whole = self._whole, epoch
        for other in self._files():
            if other not in (self._file(epoch), self._file(before)):
                other.unlink(missing_ok=True)

    def _file(self, epoch: int) -> Path:
        return self._folder / f"checkpoint-{epoch:05d}.npz"

    def _files(self) -> list[Path]:
        return list(self._folder.glob("checkpoint-*.npz"))


def _pack(progress: Progress, state: State, made_by: str) -> dict[str, np.ndarray]:
    facts = {name: getattr(progress, name) for name in _PLAIN}
    groups = {
        _LEARNER: state,
        _KNOWN: flatten(progress.known),
        _BEST: flatten(progress.best_weights),
    }
    named = {prefix + name: array for prefix, of in groups.items() for name, array in of.items()}
    # An archive may lose a name to a single bit without noticing.
    facts |= {"made_by": made_by, "names": sorted(named)}
    return {_FACTS: np.array(json.dumps(facts)), _ANSWERS: progress.best_answers, **named}


def _read(file: Path, made_by: str, objective: Objective) -> Saved | None:
    """What is in a file; None where something else made it. Raises one of `_DAMAGED`."""
    with ZipFile(file) as zipped:
        broken = zipped.testzip()
    if broken is not None:
        raise BadZipFile(f"{broken} has another checksum")
    with np.load(file) as opened:
        arrays = dict(opened)
    facts: dict[str, Any] = json.loads(str(arrays.pop(_FACTS)))
    if facts.pop("made_by") != made_by:
        return None
    begun = time.perf_counter() - facts.pop("elapsed")
    answers = arrays.pop(_ANSWERS)
    if facts.pop("names") != sorted(arrays):
        raise BadZipFile("other arrays than were written")
    known, best = (unflatten(_under(prefix, arrays)) for prefix in (_KNOWN, _BEST))
    progress = Progress(
        objective, known=known, best_weights=best, best_answers=answers, begun=begun, **facts
    )
    return Saved(progress, _under(_LEARNER, arrays))


def _under(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


_DAMAGED = (OSError, EOFError, ValueError, KeyError, TypeError, RuntimeError, BadZipFile)
"""What zipfile, NumPy and json raise over files that are not as they were written."""
