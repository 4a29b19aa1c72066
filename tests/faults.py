"""Faults that a test asks for: a process killed at a named point, a write that fails.

`environment` makes of them what a command is started with, such as
`tlsearch(home, "run", file, **environment(tmp_path, kill("tlsearch.files:keep", nth=3)))`.
What makes them happen is in `injected/sitecustomize.py`.
"""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

INJECTED = Path(__file__).parent / "injected"


def kill(at, when="before", nth=1, process="supervisor"):
    """SIGKILL before or after the nth call of `module:function` or `module:Class.method`.

    Args:
        process: "supervisor" (the command itself), "worker" or "any"; each counts for itself, and
            only the first that comes there dies.
    """
    return {"at": at, "when": when, "nth": nth, "process": process}


def count(at, file, pause=0.0):
    """No fault: notes each call that has come back, in all processes; `calls` reads it.

    Args:
        pause: seconds by which each call is longer.
    """
    return {"at": at, "count": str(file), "pause": pause, "process": "any"}


def calls(file):
    """How many calls were counted in this file."""
    return file.stat().st_size if file.exists() else 0


def refuse(under, nth, process="supervisor", lasting=False, error=errno.ENOSPC):
    """The nth write below a folder fails: a file opened for writing, synced, renamed or made.

    What C writes by itself, such as SQLite, is not among them.

    Args:
        lasting: all writes after it fail too.
    """
    return {
        "under": str(under),
        "nth": nth,
        "process": process,
        "lasting": lasting,
        "error": error,
    }


def environment(folder, *faults):
    """The environment variables that bring the faults to a process and those below it.

    Args:
        folder: of the test; there it is noted that a fault has struck, which it does once.
    """
    folder.mkdir(parents=True, exist_ok=True)
    named = [{**fault, "once": str(_mark(folder, n))} for n, fault in enumerate(faults)]
    path = os.pathsep.join(filter(None, [str(INJECTED), os.environ.get("PYTHONPATH", "")]))
    return {"TLSEARCH_FAULTS": json.dumps(named), "PYTHONPATH": path}


def has_struck(folder, number=0):
    """Whether the fault of this number came about."""
    return _mark(folder, number).exists()


def _mark(folder, number):
    return folder / f"fault-{number}"
