"""Progress bars: seen on a terminal, silent elsewhere, and never in the way of the items."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

from tlsearch.progress import bar, track

SCRIPT = """
from tlsearch.progress import bar, track
assert list(track([1, 2, 3], "counting")) == [1, 2, 3]
with bar("fetching", None, is_bytes=True) as advance:
    advance(2048)
print("done")
"""


def test_silent_without_a_terminal(capsys):
    assert list(track(iter("abc"), "counting")) == ["a", "b", "c"]
    with bar("counting", 3) as advance:
        advance(3)
    assert capsys.readouterr() == ("", "")


def test_a_bar_on_a_terminal_goes_to_stderr():
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "100"}
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, stderr=theirs, env=environment
    )
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert (process.returncode, process.stdout) == (0, b"done\n")
    assert "counting" in shown
    assert "3/3" in shown
    assert "fetching" in shown
