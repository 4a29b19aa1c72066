"""The quick start shows what transfer learning buys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_sweeps import tlsearch

pytestmark = pytest.mark.slow

QUICKSTART = Path(__file__).parents[2] / "sweeps" / "quickstart.yaml"
POINTS = 10


def test_transfer_beats_from_scratch(tmp_path):
    done = tlsearch(tmp_path / "home", "run", QUICKSTART, "--json")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    [compared] = [event for event in events if event["event"] == "compared"]
    transfer, baseline = compared["transfer"], compared["baseline"]
    assert transfer["epochs"] == baseline["epochs"]
    assert transfer["accuracy"] >= baseline["accuracy"] + POINTS / 100
    assert {event["state"] for event in events if event["event"] == "trial_ended"} == {"complete"}
    again = tlsearch(tmp_path / "home", "run", QUICKSTART)
    assert "points better" in again.stdout
