"""A sweep that keeps no weights: its bundle, its reports and its next trials lack nothing."""

from __future__ import annotations

import json

import pytest
from tiny_sweeps import SWEEP, tlsearch, write_sweep

from serving import Bundle
from tlsearch.paths import Paths

pytestmark = pytest.mark.slow

TEXT = SWEEP.replace("trials: 4", "trials: 2") + "checkpoints: {keep: none}\n"


def _weights(home):
    return [path.parent.name for path in home.glob("sweeps/tiny/trials/*/learned.npz")]


def test_none(tmp_path):
    home, file = tmp_path / "home", write_sweep(tmp_path / "sweep", TEXT)
    first = tlsearch(home, "run", file, "--json")
    assert first.returncode == 0, first.stderr
    assert _weights(home) == []
    assert len([*home.glob("mlartifacts/*/*/artifacts/*.png")]) >= 2

    champion = Bundle.open(Paths(home).sweep("tiny").bundle).manifest.run.trial
    refused = tlsearch(home, "export", file, "--trial", str(1 - champion))
    assert refused.returncode == 2
    assert "not kept any more" in refused.stderr
    assert "checkpoints.keep=all" in refused.stderr
    copied = tlsearch(home, "export", file, "--output", str(tmp_path / "copy"))
    assert copied.returncode == 0, copied.stderr
    Bundle.open(tmp_path / "copy")

    more = tlsearch(home, "run", file, "budget.trials=3", "--json")
    assert more.returncode == 0, more.stderr
    started = [json.loads(line) for line in more.stdout.splitlines()]
    assert [one["trial"] for one in started if one["event"] == "trial_started"] == [2]
    assert _weights(home) == []
    Bundle.open(Paths(home).sweep("tiny").bundle)
