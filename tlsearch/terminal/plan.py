"""`tlsearch plan`: what a sweep will do, before it does any of it.

Leaves out how it is found, which is `search.plan`, and how it is shown, `plan_tables`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tlsearch.config.loading import load
from tlsearch.paths import Paths
from tlsearch.terminal.jsonlines import print_json
from tlsearch.terminal.lines import Lines
from tlsearch.terminal.words import screen


def plan_sweep(file: Path, overrides: Sequence[str], *, json: bool) -> None:
    """Print what `tlsearch run` would do; only caches are written: photos, weights, pixels.

    Raises:
        SweepFileError: the sweep file has mistakes.
        DataError: the photos cannot be used.
        SetupError: weights or home are missing.
    """
    from tlsearch.search.plan import make_plan
    from tlsearch.terminal.plan_tables import as_data, print_plan

    sweep = load(file, overrides)
    paths = Paths.from_environment()
    paths.create()
    plan = make_plan(sweep, paths, Lines(screen(stderr=True)))
    if json:
        print_json(as_data(plan))
    else:
        print_plan(plan)
