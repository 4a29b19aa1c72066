"""tlsearch: transfer-learning sweeps that are tracked, compared, exported and verified.

>>> import tlsearch
>>> sweep = tlsearch.load("sweeps/quickstart.yaml", **{"budget.trials": 3})
>>> result = tlsearch.run(sweep)
>>> result.trials, result.best, result.bundle
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlsearch.errors import TlsearchError

if TYPE_CHECKING:
    from tlsearch.config.loading import load, load_recipe
    from tlsearch.config.pretraining import Pretraining
    from tlsearch.config.schema import Sweep
    from tlsearch.pretraining.run import pretrain
    from tlsearch.search.run import SweepResult, run

__version__ = "0.1.0"
__all__ = [
    "Pretraining",
    "Sweep",
    "SweepResult",
    "TlsearchError",
    "__version__",
    "load",
    "load_recipe",
    "pretrain",
    "run",
]

_HOMES = {
    "Pretraining": "tlsearch.config.pretraining",
    "Sweep": "tlsearch.config.schema",
    "SweepResult": "tlsearch.search.run",
    "load": "tlsearch.config.loading",
    "load_recipe": "tlsearch.config.loading",
    "pretrain": "tlsearch.pretraining.run",
    "run": "tlsearch.search.run",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `tlsearch --help` stays quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'tlsearch' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
