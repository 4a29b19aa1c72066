"""Lines on stderr."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import logging, sys
from serving.logs import LogLevel, configure_logs
configure_logs(LogLevel(sys.argv[1]))
logging.getLogger("serving.follow").debug("a look")
logging.getLogger("serving.follow").info("version %s", 4)
logging.getLogger("httpx").info("a request")
logging.getLogger("httpx").warning("a warning")
logging.getLogger("serving.model").warning("no model\\n  received: none\\n  next: export")
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("serving").exception("it failed")
"""


def told(level):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, level], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    return done.stderr


def test_our_events_and_the_warnings_of_libraries():
    lines = [line.split(" ", 2)[2] for line in told("info").splitlines()[:4]]
    assert lines == [
        "INFO serving.follow: version 4",
        "WARNING httpx: a warning",
        "WARNING serving.model: no model; received: none; next: export",
        "ERROR serving: it failed",
    ]


def test_a_traceback_keeps_its_lines():
    lines = told("error").splitlines()
    assert lines[0].endswith("ERROR serving: it failed")
    assert lines[1].startswith("Traceback")
    assert lines[-1].startswith("ZeroDivisionError")


@pytest.mark.parametrize(("level", "count"), [("debug", 6), ("info", 4), ("warning", 3)])
def test_from_how_grave_on(level, count):
    lines = [line for line in told(level).splitlines() if line.startswith("20")]
    assert len(lines) == count
