"""How much work this process has done, counted by whatever loops over batches.

The worker's heartbeat tells the supervisor when the count has grown: a process that is alive and
does nothing is found by a count that stands still.
"""

from __future__ import annotations

import itertools

_counter = itertools.count(1)
_done = 0


def beat() -> None:
    """Count one piece of work: a batch that was made, trained on or answered. Any thread may."""
    global _done
    _done = next(_counter)


def work_done() -> int:
    """How many pieces of work there were since the process began."""
    return _done
