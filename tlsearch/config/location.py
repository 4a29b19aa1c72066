"""From where pydantic saw a mistake to where the user wrote it.

Pydantic's locations go through the models: they name union members that no file holds, and
choices that a shorthand leaves out. Here both are taken away again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel

from tlsearch.config.document import KeyPath
from tlsearch.config.parameters import Choices
from tlsearch.config.policy import POLICY_TAG, WORD_TAG

_TAGS = ("choices", "range")
_OTHER_TAGS = (WORD_TAG, POLICY_TAG)


@dataclass(frozen=True)
class Location:
    """A path through the file, and the keys that may stand in the innermost mapping."""

    path: KeyPath
    allowed: tuple[str, ...]


def locate(loc: KeyPath, value: Any, model: type[BaseModel], *, absent: bool = False) -> Location:
    """Where in the file's plain `value` the mistake at pydantic's `loc` is.

    Args:
        model: what the whole file is.
        absent: the last step of `loc` is a key that is not there.
    """
    steps, models = _without_tags(loc[:-1] if absent else loc, model)
    path = _written(steps, value) + (loc[-1:] if absent else ())
    return Location(path, _keys(models))


def _without_tags(loc: KeyPath, model: type[BaseModel]) -> tuple[KeyPath, list[type[BaseModel]]]:
    """The steps through the models that are no union tags, and the models at their end."""
    models = [model]
    steps: list[str | int] = []
    for step in loc:
        if step in _OTHER_TAGS:
            continue
        if step in _TAGS and len(models) > 1:
            models = [m for m in models if issubclass(m, Choices) == (step == "choices")]
            continue
        steps.append(step)
        if isinstance(step, str):
            models = [inner for model in models for inner in _inside(model, step)]
    return tuple(steps), models


def _inside(model: type[BaseModel], key: str) -> list[type[BaseModel]]:
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    return models_in(fields[key].annotation) if key in fields else []


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The models that an annotation is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in models_in(argument)]


def _keys(models: list[type[BaseModel]]) -> tuple[str, ...]:
    names = [f.alias or name for model in models for name, f in model.model_fields.items()]
    return tuple(dict.fromkeys(names))


def _written(steps: KeyPath, value: Any) -> KeyPath:
    """The part of `steps` that the file spells out: in `unfreeze: 3`, not `choices` and 0."""
    path: list[str | int] = []
    for step in steps:
        if _holds(value, step):
            path.append(step)
            value = value[step]
        elif step != "choices" and step != 0:
            break
    return tuple(path)


def _holds(value: Any, step: str | int) -> bool:
    if isinstance(step, int):
        return isinstance(value, list) and step < len(value)
    return isinstance(value, dict) and step in value
