"""A tracker that fails once: before or after a call is carried out, as networks do."""

from __future__ import annotations

from tlsearch.tracking.listener import Listener
from tlsearch.tracking.tracker import StoreUnreachable

CALLS = (
    "open_sweep",
    "start_trial",
    "find_trial",
    "trials",
    "log_epochs",
    "log_metrics",
    "log_tags",
    "log_artifacts",
    "finish_trial",
    "register",
    "finish_sweep",
)


class FailsOnce:
    """Hands every call on to a tracker; the Nth comes back with an error.

    Args:
        nth: which one, counted from 1.
        carries_out: whether the store has done what it was asked all the same.
    """

    def __init__(self, tracker, nth, carries_out):
        self.calls = 0
        for name in CALLS:
            setattr(self, name, self._wrap(getattr(tracker, name), nth, carries_out))

    def _wrap(self, call, nth, carries_out):
        def wrapped(*arguments, **named):
            self.calls += 1
            if self.calls == nth:
                if carries_out:
                    call(*arguments, **named)
                raise StoreUnreachable("the store does not answer")
            return call(*arguments, **named)

        return wrapped


class Heard(Listener):
    """Keeps what it is told."""

    def __init__(self):
        self.runs = {}
        self.studies = set()
        self.told = []

    def found_run(self, study, trial, run):
        self.runs[trial] = run
        self.studies.add(study)

    def registered(self, name, version):
        self.told.append(("registered", name, version))

    def refused(self, error):
        self.told.append(("refused", error.what))

    def lost(self, error):
        self.told.append(("lost",))

    def came_back(self):
        self.told.append(("back",))
