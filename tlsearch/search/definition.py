"""What makes a study's trials comparable, and what an older version's words for it mean today."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from tlsearch.config.schema import Sweep

_PARTS = {"space", "objective", "train", "data"}
_FREE = ("source", "sha256", "max_unreadable", "generated")


def definition(sweep: Sweep) -> dict[str, Any]:
    """What makes two trials comparable: all that may not change while a study goes on.

    Where the photos lie may change; which photos they are is held by the data set's digest.
    """
    parts = sweep.model_dump(mode="json", include=_PARTS)
    for free in _FREE:
        parts["data"].pop(free)
    return parts


def completed(stored: dict[str, Any]) -> dict[str, Any]:
    """A definition with the defaults of the keys that were not there yet when it was stored.

    One that is no sweep any more comes back as it is: it differs from every other.
    """
    data = {"source": "-", **stored["data"]}
    try:
        sweep = Sweep.model_validate({"version": 1, "name": "a", **stored, "data": data})
    except ValidationError:
        return stored
    return definition(sweep)
