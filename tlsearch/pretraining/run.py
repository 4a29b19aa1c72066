"""The door to pretraining: carry out a recipe, or continue it, and get its weights."""

from __future__ import annotations

import signal

from tlsearch.config.pretraining import Pretraining
from tlsearch.disk import explain_disk
from tlsearch.errors import Interrupted
from tlsearch.execution.lock import alone
from tlsearch.execution.notices import Notify, ignore, without_credentials
from tlsearch.execution.signals import stop_on_signal
from tlsearch.paths import Paths
from tlsearch.pretraining.course import Course, Pretrained
from tlsearch.pretraining.files import PretrainingFiles


def pretrain(
    recipe: Pretraining,
    *,
    new: bool = False,
    paths: Paths | None = None,
    notify: Notify = ignore,
    command: str = "tlsearch.pretrain(recipe)",
) -> Pretrained:
    """Carry out a recipe, or continue it where it was left.

    Args:
        new: start over; what an earlier start has learned is removed.
        paths: where state lives; by default TLSEARCH_HOME.
        notify: is told what happens.
        command: what the user would type to continue, for messages.

    Raises:
        UsageError: what is on disk was made by a different recipe.
        DataError: the photos cannot be used.
        SetupError: weights or home are missing.
        DiskError: the disk is full or read-only; running it again continues.
        NoResultError: the loss is not finite, or the worker died.
        Interrupted: the user asked to stop; running it again continues.
    """
    paths = paths or Paths.from_environment()
    paths.create()
    lock = PretrainingFiles(paths.pretraining(recipe.name)).lock
    told = without_credentials(notify)
    with explain_disk(paths.home), alone(lock, "this pretraining"), stop_on_signal() as stop:
        try:
            return Course(recipe, paths, told, command).carry_out(stop, new=new)
        except KeyboardInterrupt:
            raise Interrupted(
                "ended at once; the epoch that was running is done again next time",
                signal=stop.signal or signal.SIGINT,
                hint=f"to continue: {command}",
            ) from None
