"""Progress bars on stderr, silent where nobody watches. Library code shows progress only here."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
Advance = Callable[[int], None]


@contextmanager
def bar(description: str, total: int | None, *, is_bytes: bool = False) -> Iterator[Advance]:
    """Show a bar while the block runs.

    Args:
        description: what is going on, such as `reading photos`.
        total: how many steps (or bytes) there are; None where it is not known.
        is_bytes: whether to count in bytes.

    Yields:
        A function to call with how many steps were made since the last call.
    """
    if not sys.stderr.isatty():
        yield lambda steps: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(*_columns(is_bytes), console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(description, total=total)
        yield lambda steps: progress.advance(task, steps)


def track(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Pass on `items` one by one under a bar. `total` is only needed where `len` fails."""
    if total is None and isinstance(items, (list, tuple, dict, set, range)):
        total = len(items)
    with bar(description, total) as advance:
        for item in items:
            yield item
            advance(1)


def _columns(is_bytes: bool) -> list:
    from rich import progress as rich

    count = rich.DownloadColumn() if is_bytes else rich.MofNCompleteColumn()
    return [
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        count,
        rich.TimeRemainingColumn(),
    ]
