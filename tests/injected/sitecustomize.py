"""Faults for the processes below a test: Python imports this module by its name as it starts.

The test puts this folder on PYTHONPATH and the faults, as JSON, into TLSEARCH_FAULTS; `faults.py`
does both. Nothing of the project knows of it. Without the variable nothing happens.
"""

from __future__ import annotations

import builtins
import functools
import importlib.util
import inspect
import io
import json
import os
import signal
import sys
import time
from importlib.abc import MetaPathFinder
from pathlib import Path

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def _kind_of_process():
    """Workers are started as a module; whatever else starts one is the supervisor."""
    return "worker" if "tlsearch.execution.worker" in sys.orig_argv else "supervisor"


class Fault:
    """Something that happens at the nth call, in one process of all."""

    def __init__(self, *, nth, once, **given):
        self.given = given
        self._nth = nth
        self._once = once
        self._calls = 0

    def is_due(self):
        """Count a call; whether it is the nth, and no process was struck before."""
        self._calls += 1
        return self._calls == self._nth and self._strike()

    def _strike(self):
        try:
            os.close(REAL_OPEN(self._once, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        return True


class Kill(Fault):
    """The process dies before or after a call of a function."""

    def wrap(self, function):
        @functools.wraps(function)
        def wrapped(*arguments, **named):
            due = self.is_due()
            if due and self.given["when"] == "before":
                self._die()
            result = function(*arguments, **named)
            if due:
                self._die()
            return result

        return wrapped

    @staticmethod
    def _die():
        os.kill(os.getpid(), signal.SIGKILL)
        signal.pause()


class Count:
    """Notes each call of a function, in all processes; no fault, but made in the same way."""

    def __init__(self, **given):
        self.given = given

    def wrap(self, function):
        @functools.wraps(function)
        def wrapped(*arguments, **named):
            result = function(*arguments, **named)
            time.sleep(self.given["pause"])
            file = REAL_OPEN(self.given["count"], os.O_CREAT | os.O_APPEND | os.O_WRONLY)
            REAL_WRITE(file, b"x")
            os.close(file)
            return result

        return wrapped


class Refusal(Fault):
    """A write below a folder fails, and with `lasting` all that come after it."""

    _is_full = False

    def check(self, place):
        """Raise the error if it is this write's turn."""
        path = _path_of(place)
        if path is None or not path.startswith(self.given["under"]):
            return
        if self._is_full or self.is_due():
            self._is_full = self.given["lasting"]
            raise OSError(self.given["error"], os.strerror(self.given["error"]), path)


def _path_of(place):
    try:
        if isinstance(place, int):
            return str(Path(f"/proc/self/fd/{place}").readlink())
        return str(Path(os.fsdecode(place)).absolute())
    except (OSError, TypeError):
        return None


class Patcher(MetaPathFinder):
    """Puts the kills into the modules that they are for, as soon as these are imported."""

    def __init__(self, kills):
        self._kills = {}
        for kill in kills:
            module, _, name = kill.given["at"].partition(":")
            self._kills.setdefault(module, []).append((name, kill))

    def find_spec(self, name, path, target=None):
        # Taken out first: the question goes to all finders once more, this one too.
        kills = self._kills.pop(name, None)
        spec = importlib.util.find_spec(name) if kills else None
        if spec is None:
            return None
        real = spec.loader.exec_module

        def execute(module):
            real(module)
            for attribute, kill in kills:
                _patch(module, attribute, kill)

        spec.loader.exec_module = execute
        return spec


def _patch(module, name, kill):
    *owners, last = name.split(".")
    owner = functools.reduce(getattr, owners, module)
    static = inspect.getattr_static(owner, last)
    if isinstance(static, classmethod | staticmethod):
        setattr(owner, last, type(static)(kill.wrap(static.__func__)))
    else:
        setattr(owner, last, kill.wrap(static))


def _watch(owner, name, places):
    """Have each refusal look at the places that a call of this function writes to."""
    real = getattr(owner, name)

    @functools.wraps(real)
    def watched(*arguments, **named):
        for place in places(*arguments, **named):
            for refusal in REFUSALS:
                refusal.check(place)
        return real(*arguments, **named)

    setattr(owner, name, watched)


def _opened(file, mode="r", *_, **named):
    return [file] if set(named.get("mode", mode)) & set("wax+") else []


def _opened_low(file, flags, *_, **__):
    return [file] if flags & WRITING else []


def _first(place, *_, **__):
    return [place]


def _second(_, place, *__, **___):
    return [place]


def _watch_writes():
    for owner in (builtins, io):
        _watch(owner, "open", _opened)
    _watch(os, "open", _opened_low)
    for name in ("write", "fsync", "mkdir", "truncate", "ftruncate"):
        _watch(os, name, _first)
    for name in ("replace", "rename"):
        _watch(os, name, _second)


REAL_OPEN, REAL_WRITE = os.open, os.write
REFUSALS = []


def _begin():
    mine = [
        fault
        for fault in json.loads(os.environ.get("TLSEARCH_FAULTS", "[]"))
        if fault.pop("process") in (_kind_of_process(), "any")
    ]
    kills = [
        Count(**fault) if "count" in fault else Kill(**fault) for fault in mine if "at" in fault
    ]
    REFUSALS.extend(Refusal(**fault) for fault in mine if "under" in fault)
    if kills:
        sys.meta_path.insert(0, Patcher(kills))
    if REFUSALS:
        _watch_writes()


_begin()
