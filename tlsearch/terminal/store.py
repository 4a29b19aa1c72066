"""`tlsearch store`: what the activation store holds, and making it smaller."""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from typing import Any

from rich.table import Table

from tlsearch.amounts import GB, size
from tlsearch.config.schema import Store
from tlsearch.errors import UsageError
from tlsearch.paths import Paths
from tlsearch.store.store import ActivationStore, EntrySummary, Verification
from tlsearch.terminal.jsonlines import print_json
from tlsearch.terminal.tables import add_row
from tlsearch.terminal.words import counted, duration, screen, shorter

_COLUMNS = ("backbone", "pixels", "cut", "view", "photos", "size", "last used", "in use")
_NUMBERS = ("pixels", "photos", "size")


def show_store(paths: Paths, *, json: bool, limit: float | None, verify: bool) -> None:
    """List the entries, after checking them and pruning them to `limit` GB if that is asked for.

    Raises:
        UsageError: the limit is negative.
        HomeError: something is to be removed that may not be written to.
    """
    if limit is not None and not 0 <= limit < math.inf:
        raise UsageError("--limit is no size", received=limit, expected="gigabytes, 0 or more")
    store = ActivationStore(paths.activations, Store().limit)
    found = store.verify() if verify else None
    evicted = None if limit is None else store.prune(round(limit * GB))
    if json:
        print_json(_data(store, found, evicted))
    else:
        _print(store, found, evicted)


def _data(
    store: ActivationStore, found: Verification | None, evicted: list[EntrySummary] | None
) -> dict[str, Any]:
    entries = store.entries()
    return {
        "folder": store.folder,
        "limit_bytes": store.limit,
        "bytes": sum(one.bytes_ for one in entries),
        "entries": [_row(one) for one in entries],
        "verified": None if found is None else _checked(found),
        "evicted": None if evicted is None else [_row(one) for one in evicted],
    }


def _row(entry: EntrySummary) -> dict[str, Any]:
    row = asdict(entry)
    return {"digest": entry.key.digest, "bytes": row.pop("bytes_"), **row}


def _checked(found: Verification) -> dict[str, int]:
    return {"intact": found.intact, "damaged": found.damaged, "bytes": found.bytes_}


def _print(
    store: ActivationStore, found: Verification | None, evicted: list[EntrySummary] | None
) -> None:
    entries, show = store.entries(), screen().print
    if entries:
        show(_table(entries))
    if found is not None:
        show(_finding(found))
    if evicted is not None:
        show(f"removed {_counted(evicted)}")
    if entries:
        limit = f"the limit is {size(store.limit)}, unless a sweep's store.limit_gb says otherwise"
        show(f"{_counted(entries)} under {shorter(store.folder)}; {limit}")
    else:
        show(f"no activations are stored under {shorter(store.folder)}")


def _finding(found: Verification) -> str:
    checked = f"checked {counted(found.intact + found.damaged, 'shard')}"
    if not found.damaged:
        return f"{checked}: none was damaged"
    were = "was" if found.damaged == 1 else "were"
    return f"{checked}: {found.damaged:,} {were} damaged and removed"


def _counted(entries: list[EntrySummary]) -> str:
    count = "1 entry" if len(entries) == 1 else f"{len(entries):,} entries"
    return f"{count}, {size(sum(one.bytes_ for one in entries))}"


def _table(entries: list[EntrySummary]) -> Table:
    table = Table()
    for name in _COLUMNS:
        table.add_column(name, justify="right" if name in _NUMBERS else "left")
    for entry in entries:
        key = entry.key
        add_row(
            table,
            key.backbone,
            str(key.image_size),
            key.cut,
            key.view,
            f"{entry.photos:,}",
            size(entry.bytes_),
            f"{duration(max(0.0, time.time() - entry.last_used))} ago",
            "yes" if entry.in_use else "no",
        )
    return table
