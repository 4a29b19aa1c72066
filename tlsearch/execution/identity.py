"""Who a supervisor is: a name that no other process ever has, on this machine or another."""

from __future__ import annotations

import os
import re
import secrets
import socket
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Identity:
    """One life of a supervisor.

    Attributes:
        host: the machine's name.
        pid: the process.
        began: seconds since 1970, by the clock of that machine: for people to read.
        token: random, so that a process id that is used again is somebody else.
    """

    host: str
    pid: int
    began: int
    token: str

    @classmethod
    def make(cls) -> Identity:
        """A new one, of this process."""
        return cls(socket.gethostname(), os.getpid(), int(time.time()), secrets.token_hex(4))

    @property
    def name(self) -> str:
        """Fit for a file's name; names sort by host and process."""
        host = re.sub(r"[^A-Za-z0-9]+", "-", self.host)
        return f"{host}.{self.pid}.{self.began}.{self.token}"
