from __future__ import annotations

import json
import os
import sys
import time

import pytest
from peers import memory
from peers.process import run

from tlsearch.errors import NoResultError

HELD = 60
"""MiB."""
HOLDER = f"""
import json, subprocess, sys, time
child = "x = bytearray({HELD} * 2**20); import time; time.sleep(1.5)"
if len(sys.argv) > 1:
    subprocess.run([sys.executable, "-c", child], check=True)
print(json.dumps({{"event": "imported"}}))
print("something else")
"""


def test_what_a_process_says_is_timed(tmp_path):
    done = run([sys.executable, "-c", HOLDER], os.environ, tmp_path)
    assert [said for _, said in done.events] == [{"event": "imported"}]
    assert 0 < done.events[0][0] <= done.seconds
    assert done.memory is None
    assert not done.named("trial_ended")


def test_memory_of_children_counts(tmp_path):
    done = run([sys.executable, "-c", HOLDER, "child"], os.environ, tmp_path, memory=True)
    assert done.memory.anonymous > HELD * 2**20
    assert done.memory.largest_rss > HELD * 2**20
    assert done.memory.total >= done.memory.anonymous


def test_anonymous_and_file_backed_add_up():
    now = memory.read(os.getpid())
    assert now.total == pytest.approx(now.anonymous + now.file_backed, rel=0.02)
    assert now.file_backed > 0


def test_the_family_of_a_process_begins_with_it():
    assert memory.family(os.getpid())[0] == os.getpid()
    assert os.getpid() in memory.family(os.getppid())


def test_peaks_are_kept_figure_by_figure():
    one, other = memory.Memory(1, 9, 3, 4), memory.Memory(5, 2, 3, 8)
    assert one.peak(other) == memory.Memory(5, 9, 3, 8)


def test_a_side_that_fails_shows_its_last_words(tmp_path):
    with pytest.raises(NoResultError) as caught:
        run([sys.executable, "-c", "raise ValueError('no such luck')"], os.environ, tmp_path)
    assert "no such luck" in str(caught.value)
    assert "exit status 1" in str(caught.value)


def test_nothing_is_left_behind(tmp_path):
    """Whatever goes wrong here, such as a line that cannot be read."""
    code = "import subprocess; p = subprocess.Popen(['sleep', '60']); print(p.pid); "
    code += "open('pid', 'w').write(str(p.pid)); print('{broken', flush=True); p.wait()"
    with pytest.raises(json.JSONDecodeError):
        run([sys.executable, "-c", code], os.environ, tmp_path)
    child = int((tmp_path / "pid").read_text())
    for _ in range(100):
        if child not in memory.family(1):
            return
        time.sleep(0.05)
    pytest.fail("a child still runs")
