"""What one supervisor does for all: screening, the sweep's run in the tracker, the delivery.

Who does it is noted with the study; the others wait. If that one dies, another one does it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import optuna

from tlsearch.search.crew import Crew
from tlsearch.search.turn import Turn

ERRAND = "tlsearch.errand."
"""The prefix of the attributes that say who does what."""


def _anybody() -> bool:
    return True


class Errands:
    """The errands of one study, as one supervisor sees them."""

    def __init__(self, study: optuna.Study, turn: Turn, crew: Crew) -> None:
        self._study = study
        self._turn = turn
        self._crew = crew

    @contextmanager
    def run(
        self,
        what: str,
        is_done: Callable[[], bool],
        wait: Callable[[], None],
        is_for_me: Callable[[], bool] = _anybody,
    ) -> Iterator[bool]:
        """Wait until the errand is this supervisor's, or done; whether it is this one's.

        Args:
            is_done: whether nobody has to do it any more.
            wait: called as long as another one does it; may raise, to give up.
            is_for_me: whether this one should do it, if nobody does.
        """
        while (mine := self._begin(what, is_done, is_for_me)) is None:
            wait()
        try:
            yield mine
        finally:
            if mine:
                self._end(what)

    def are_mine(self, what: str) -> bool:
        """Whether the errand is still this supervisor's, who may have been taken for dead."""
        return self._owner(what) == self._crew.name

    def _begin(
        self, what: str, is_done: Callable[[], bool], is_for_me: Callable[[], bool]
    ) -> bool | None:
        with self._turn.hold():
            if is_done():
                return False
            others = self._crew.living([self._owner(what)]) - {self._crew.name}
            if others or not is_for_me():
                return None
            self._study.set_user_attr(f"{ERRAND}{what}", self._crew.name)
            return True

    def _end(self, what: str) -> None:
        with self._turn.hold():
            if self.are_mine(what):
                self._study.set_user_attr(f"{ERRAND}{what}", "")

    def _owner(self, what: str) -> str | None:
        return self._study.user_attrs.get(f"{ERRAND}{what}")
