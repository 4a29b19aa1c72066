"""The supervisors of one study: who they are, who of them lives, how long they have searched.

Each has an attribute of the study to itself, which nobody else writes. On its own machine a
supervisor lives as long as the kernel holds its lock; on another one as long as it renews its lease
in the database, by the database's clock.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import optuna

from tlsearch.execution.identity import Identity
from tlsearch.execution.presence import Presence, everybody, is_present
from tlsearch.search.renewal import Renewal
from tlsearch.search.storage import LOST
from tlsearch.search.turn import Turn

MEMBER = "tlsearch.supervisor."
"""The prefix of the attributes."""

LEASE = 30.0
"""Seconds without a renewal after which a supervisor elsewhere counts as dead."""


@dataclass(frozen=True)
class Member:
    """What a supervisor says of itself.

    Attributes:
        home: its TLSEARCH_HOME, where the weights of its trials are.
        alive: when it renewed its lease, seconds since 1970; 0 once it has left.
        searched: from when until when it has searched, so far; None before its first trial.
    """

    host: str
    pid: int
    home: str
    alive: float
    searched: tuple[float, float] | None = None

    @classmethod
    def read(cls, plain: dict[str, Any]) -> Member:
        span = plain.get("searched")
        return cls(**{**plain, "searched": (span[0], span[1]) if span else None})

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


class Crew:
    """This supervisor among those of its study."""

    def __init__(self, study: optuna.Study, turn: Turn, locks: Path, home: Path) -> None:
        self._study = study
        self._turn = turn
        self._locks = locks
        self._me = Identity.make()
        self._home = str(home)
        self._presence: Presence | None = None
        self._searched: tuple[float, float] | None = None
        self._writing = threading.Lock()
        self._renewal = Renewal(self._renew) if turn.is_remote else None
        self.is_first_here = True

    @property
    def name(self) -> str:
        """Of this supervisor, as trials keep it."""
        return self._me.name

    @property
    def is_remote(self) -> bool:
        """Whether others may take this one for dead while it lives."""
        return self._turn.is_remote

    def enter(self) -> None:
        """Be one of them, until `leave` or death. The study's lock must be held."""
        self.is_first_here = not any(list(everybody(self._locks)))
        self._presence = Presence(self._locks, self.name)
        self._renew()
        if self._renewal is not None:
            self._renewal.start()

    def leave(self) -> None:
        """Be one of them no longer: what is unfinished is for others."""
        if self._renewal is not None:
            self._renewal.end()
        if self._presence is not None:
            # A database that is lost shall not hide what has ended the sweep: the lease runs out.
            with suppress(*LOST):
                self._write(0.0)
            self._presence.leave()
            self._presence = None

    def members(self) -> dict[str, Member]:
        """All there have ever been, by their names."""
        known = self._study.user_attrs.items()
        return {
            key.removeprefix(MEMBER): Member.read(plain)
            for key, plain in known
            if key.startswith(MEMBER)
        }

    def others(self) -> dict[str, Member]:
        """Those who live, without this one."""
        members = self.members()
        alive = self.living(members)
        return {name: one for name, one in members.items() if name in alive and name != self.name}

    def living(self, names: Iterable[str | None]) -> set[str]:
        """Those of the names whose supervisors live."""
        wanted = {name for name in names if name}
        members = self.members() if self._turn.is_remote else {}
        now = self._turn.now() if self._turn.is_remote else 0.0
        return {name for name in wanted if self._lives(name, members.get(name), now)}

    def has_neighbour_of(self, name: str | None) -> bool:
        """Whether others live in the home of the one of that name, and this one does not."""
        member = self.members().get(name or "")
        if member is None:
            return False
        where = (member.host, member.home)
        if where == (self._me.host, self._home):
            return False
        return any((one.host, one.home) == where for one in self.others().values())

    def note_time(self) -> None:
        """Count the time until now as searched, from the first call on."""
        now = self._turn.now()
        self._searched = (self._searched[0] if self._searched else now, now)
        self._write(now)

    def seconds(self) -> float:
        """How long it was searched, by any of them: what was at the same time counts once."""
        return union(one.searched for one in self.members().values())

    def _lives(self, name: str, member: Member | None, now: float) -> bool:
        if name == self.name:
            return True
        if not self._turn.is_remote:
            return is_present(self._locks, name)
        if member is None:
            return False
        if (member.host, member.home) == (self._me.host, self._home):
            return is_present(self._locks, name)
        return now - member.alive < LEASE

    def _renew(self) -> None:
        self._write(self._turn.now())

    def _write(self, alive: float) -> None:
        with self._writing:
            member = Member(self._me.host, self._me.pid, self._home, alive, self._searched)
            self._study.set_user_attr(f"{MEMBER}{self.name}", asdict(member))


def union(spans: Iterable[tuple[float, float] | None]) -> float:
    """The length of what the spans cover together."""
    total, end = 0.0, float("-inf")
    for begins, ends in sorted(span for span in spans if span is not None):
        total += max(0.0, ends - max(begins, end))
        end = max(end, ends)
    return total
