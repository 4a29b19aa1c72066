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
    from tlsearch.config.loading import load
    from tlsearch.config.schema import Sweep
    from tlsearch.search.run import SweepResult, run

__version__ = "0.1.0"
__all__ = ["Sweep", "SweepResult", "TlsearchError", "__version__", "load", "run"]

_HOMES = {
    "Sweep": "tlsearch.config.schema",
    "SweepResult": "tlsearch.search.run",
    "load": "tlsearch.config.loading",
    "run": "tlsearch.search.run",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `tlsearch --help` stays quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'tlsearch' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
