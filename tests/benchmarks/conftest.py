"""Benchmarks are scripts: their folder stands on the path, nearly as when one of them is run."""

from __future__ import annotations

import sys
from pathlib import Path

# At the end: benchmarks/serving.py must not take the name of the package `serving`.
sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
