"""The weights that come with tlsearch: their size, and what they are worth on real photos."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_sweeps import environment

from tlsearch.backbones.table import find
from tlsearch.backbones.weights import builtin
from tlsearch.config.loading import load_recipe

LARGEST = 2_000_000
POINTS = 10
BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "probe.py"


def test_the_file_is_small():
    assert builtin(find("ResNet10")).stat().st_size <= LARGEST


def test_its_recipe_writes_this_very_file():
    weights = builtin(find("ResNet10"))
    recipe = load_recipe(weights.parent / "resnet10.yaml")
    assert (recipe.output.path, recipe.output.dtype) == (str(weights), "float16")
    assert recipe.is_drawn
    assert recipe.backbone.weights == "random"


@pytest.mark.slow
def test_it_beats_random_weights_on_real_flowers(tmp_path, flower_photos):
    contenders = ("ResNet10:random", "ResNet10:builtin")
    command = (sys.executable, BENCHMARK, flower_photos, *contenders, "--seeds", "0", "1", "--json")
    home = environment(tmp_path / "home")
    done = subprocess.run([*map(str, command)], env=home, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    random, learned = (np.array(json.loads(done.stdout)[name]) for name in contenders)
    assert (learned - random).min() >= POINTS / 100
