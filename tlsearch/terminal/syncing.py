"""The command that tells the tracker what sweeps have left to tell."""

from __future__ import annotations

import os
from pathlib import Path

from tlsearch.errors import UsageError
from tlsearch.paths import Paths, SweepPaths
from tlsearch.redaction import HIDDEN
from tlsearch.terminal.jsonlines import print_json
from tlsearch.terminal.words import counted
from tlsearch.tracking.location import TrackingStore, resolve_uri
from tlsearch.tracking.mlflow_tracker import MLflowTracker
from tlsearch.tracking.syncing import Resolve, Synced, Syncing
from tlsearch.tracking.tracker import StoreUnreachable


def sync_sweeps(sweep: str | None, paths: Paths, *, json: bool) -> None:
    """Replay what is left of one sweep, named or by its file, or of all in the home.

    Raises:
        UsageError: there is no such sweep here.
        StoreUnreachable: something is left.
    """
    folders, resolve = _wanted(sweep, paths)
    syncing = Syncing(resolve, MLflowTracker)
    found = [one for one in map(syncing.sync, folders) if one != Synced(one.sweep)]
    if json:
        print_json([_row(one) for one in found])
    else:
        print(*map(_line, found), sep="\n") if found else print("nothing is left to be told")
    _complain(found)


def _wanted(sweep: str | None, paths: Paths) -> tuple[list[SweepPaths], Resolve]:
    if sweep is None:
        folders = sorted((paths.home / "sweeps").glob("*"))
        return [SweepPaths(one) for one in folders if one.is_dir()], _resolver(paths)
    if Path(sweep).is_file():
        from tlsearch.config.loading import load

        loaded = load(sweep)
        given = loaded.tracking.uri
        return [_folder(loaded.name, paths)], lambda _: resolve_uri(given, None, paths)
    return [_folder(sweep, paths)], _resolver(paths)


def _folder(name: str, paths: Paths) -> SweepPaths:
    folder = paths.sweep(name)
    if not folder.folder.is_dir():
        raise UsageError(
            f"there is no sweep {name!r} here",
            received=f"nothing under this name in {paths.home}",
            expected="a sweep's name or its file",
            hint="set TLSEARCH_HOME to where it was run; without a name all sweeps are synced",
        )
    return folder


def _resolver(paths: Paths) -> Resolve:
    """The environment wins over the address in the spool."""

    def resolve(address: str | None) -> TrackingStore:
        if os.environ.get("MLFLOW_TRACKING_URI") or address is None:
            return resolve_uri(None, None, paths)
        if HIDDEN in address:
            raise UsageError(
                "the tracking store's password is not kept on the disk",
                received=address,
                hint="name the store with its password: MLFLOW_TRACKING_URI=... tlsearch sync",
            )
        return resolve_uri(address, None, paths)

    return resolve


def _row(one: Synced) -> dict[str, object]:
    return {
        "sweep": one.sweep,
        "told": one.told,
        "left": one.left,
        "running": one.running,
        "refused": one.refused,
    }


def _line(one: Synced) -> str:
    words = [f"{one.sweep}: {counted(one.told, 'record')} told to the tracker"]
    if one.refused:
        words.append(f"{one.refused} refused by it and given up")
    if one.running:
        words.append(f"{one.running} of a running sweep, which tells them itself")
    if one.left:
        words.append(f"{one.left} left")
    return ", ".join(words)


def _complain(found: list[Synced]) -> None:
    """An error where something is left, with the first store's reason."""
    left = sum(one.left for one in found)
    if not left:
        return
    reason = next(one.error for one in found if one.error is not None)
    raise StoreUnreachable(
        f"{counted(left, 'record')} could not be told: {reason.what}",
        received=reason.received,
        expected=reason.expected,
        hint="nothing is lost; run `tlsearch sync` again when the tracking store answers",
    ) from reason
