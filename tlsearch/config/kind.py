"""The two kinds of files, and what to say to one that was given to the other's command."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from tlsearch.config.document import Document, Mistake
from tlsearch.config.mistakes import received
from tlsearch.config.pretraining import Pretraining
from tlsearch.config.schema import Sweep


@dataclass(frozen=True)
class Kind:
    """What a file can be: its name in messages, its command, and one to start from."""

    name: str
    model: type[BaseModel]
    keys: str
    command: str
    example: Path


SWEEP = Kind(
    "sweep file", Sweep, "name, data and space", "tlsearch run", Path("sweeps/quickstart.yaml")
)
RECIPE = Kind(
    "recipe",
    Pretraining,
    "name, backbone and data",
    "tlsearch pretrain",
    Path("sweeps/pretraining/flowers_simclr.yaml"),
)


def check_kind(document: Document, wanted: Kind) -> Iterator[Mistake]:
    """A mistake where the file has every key that the other kind needs, and none of this one's."""
    other = RECIPE if wanted is SWEEP else SWEEP
    telling = _telling(other, wanted)
    given = document.value.keys()
    if given >= set(telling) and not given & set(_telling(wanted, other)):
        what = f"this is a {other.name}, not a {wanted.name}: it has the key {telling[0]}"
        hint = f"to carry it out: {other.command} {document.start.origin}"
        yield Mistake(document.key_spot(telling[:1]), what, hint)


def no_mapping(document: Document, wanted: Kind) -> Mistake:
    """The mistake of a file that holds no keys at all."""
    what = f"a {wanted.name} is a mapping of keys such as {wanted.keys}"
    if document.value is None:
        what = f"the file is empty; {what}"
    hint = f"start from {wanted.example}"
    return Mistake(document.start, f"{what} {received(document.value)}", hint)


def _telling(kind: Kind, other: Kind) -> tuple[str, ...]:
    """The keys that this kind cannot do without and the other does not know."""
    return tuple(
        name
        for name, field in kind.model.model_fields.items()
        if field.is_required() and name not in other.model.model_fields
    )
