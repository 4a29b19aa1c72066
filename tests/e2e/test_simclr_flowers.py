"""SimCLR on the real flowers, without their labels, teaches the built-in backbone something."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tiny_sweeps import environment

from tlsearch.paths import Paths
from tlsearch.pretraining.files import PretrainingFiles

pytestmark = pytest.mark.slow

RECIPE = Path(__file__).parents[2] / "sweeps" / "pretraining" / "flowers_simclr.yaml"
STEPS = 500
PATIENCE = 3600
"""Seconds after which it counts as hung; on two cores it takes about 6 minutes."""


def test_five_hundred_steps_improve_the_probe(tmp_path, flower_photos):
    home = tmp_path / "home"
    sources = [f"{section}.source={flower_photos}" for section in ("data", "probe")]
    done = subprocess.run(
        [sys.executable, "-m", "tlsearch", "pretrain", str(RECIPE), *sources, "probe.every=17"],
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    files = PretrainingFiles(Paths(home).pretraining("flowers-simclr"))
    losses = files.steps()["loss"]
    assert len(losses) >= STEPS
    assert losses[-50:].mean() < losses[:10].mean() / 1.5
    probes = files.probes()
    assert probes[17] > probes[0] + 0.02
