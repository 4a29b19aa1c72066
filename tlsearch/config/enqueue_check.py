"""Whether the trials that a sweep file has run first lie in its space.

Leaves out what they are turned into: `search.space` does that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from tlsearch.backbones.table import BACKBONES
from tlsearch.config.document import Document, KeyPath, Mistake, dotted
from tlsearch.config.mistakes import received
from tlsearch.config.parameters import Choices, FloatRange
from tlsearch.config.policy import Policy
from tlsearch.config.schema import BackboneChoice, Space
from tlsearch.config.suggestion import suggest

PLACE: KeyPath = ("search", "enqueue")
SLACK = 1e-9
"""How far from a whole step a number may be, in steps."""


def plain(value: Any) -> Any:
    """What Optuna can store: a backbone or policy by its label, anything else as it is."""
    return value.label if isinstance(value, BackboneChoice | Policy) else value


def check_enqueued(document: Document) -> Iterator[Mistake]:
    """A mistake for each unknown parameter, value outside its choices or range, unmet `when`."""
    listed = document.find(PLACE)
    space = _space(document)
    for number, given in enumerate(listed if isinstance(listed, list) else []):
        for name, value in given.items() if isinstance(given, dict) else ():
            path: KeyPath = (*PLACE, number, name)
            if name not in Space.model_fields:
                yield _unknown(document, path)
            elif space is not None and isinstance(value, str | int | float):
                yield from _check_value(document, path, space, given)
                yield from _check_conditions(document, path, space, given)


def _space(document: Document) -> Space | None:
    """The space, unless that has mistakes of its own."""
    try:
        return Space.model_validate(document.find(("space",)))
    except ValidationError:
        return None


def _unknown(document: Document, path: KeyPath) -> Mistake:
    what = f"{dotted(path[:-1])} names an unknown parameter {received(path[-1])}"
    hint = suggest(str(path[-1]), Space.model_fields, kind="the parameters")
    return Mistake(document.key_spot(path), what, hint)


def _check_value(
    document: Document, path: KeyPath, space: Space, given: Mapping[str, Any]
) -> Iterator[Mistake]:
    name = str(path[-1])
    parameter, value = getattr(space, name), given[name]
    if isinstance(parameter, Choices):
        known = [plain(choice) for choice in parameter.choices]
        if name == "image_size" and None in known:
            known.append(_default_size(given, space))
        fits = any(value == one and type(value) is type(one) for one in _as_numbers(known, value))
        hint = f"its choices: {', '.join(str(one) for one in known if one is not None)}"
    else:
        fits = _is_in_range(value, parameter)
        hint = f"its range: {parameter.low:g} to {parameter.high:g}"
        hint += f" in steps of {parameter.step:g}" if (parameter.step or 1) != 1 else ""
    if not fits:
        what = f"{dotted(path)} is not in the space {received(value)}"
        yield Mistake(document.value_spot(path), what, hint)


def _default_size(given: Mapping[str, Any], space: Space) -> int | None:
    """The image size that null stands for in these parameters, if that is known."""
    backbones = [plain(choice) for choice in space.backbone.choices]
    label = given.get("backbone", backbones[0] if len(backbones) == 1 else "")
    row = BACKBONES.get(str(label).partition("(")[0])
    return row.image_size if row else None


def _as_numbers(known: list[Any], value: Any) -> list[Any]:
    """YAML's `1` stands for 1.0 where the choices are such numbers."""
    whole = type(value) is int
    return [int(one) if whole and type(one) is float and one == value else one for one in known]


def _is_in_range(value: Any, parameter: Any) -> bool:
    is_number = type(value) is int or (type(value) is float and isinstance(parameter, FloatRange))
    if not is_number or not parameter.low <= value <= parameter.high:
        return False
    steps = (value - parameter.low) / parameter.step if parameter.step else 0.0
    return abs(steps - round(steps)) <= SLACK * max(1.0, abs(steps))


def _check_conditions(
    document: Document, path: KeyPath, space: Space, given: Mapping[str, Any]
) -> Iterator[Mistake]:
    name = str(path[-1])
    for other, allowed in (getattr(space, name).when or {}).items():
        wanted = allowed if isinstance(allowed, list) else [allowed]
        choices: list[Any] = getattr(getattr(space, other, None), "choices", [])
        only = plain(choices[0]) if len(choices) == 1 else None
        if given.get(other, only) in wanted:
            continue
        words = " or ".join(map(str, wanted))
        what = f"{dotted(path)} applies only where {other} is {words}"
        hint = f"add `{other}: {wanted[0]}` to it, or remove {name}"
        yield Mistake(document.key_spot(path), f"{what} {received(given.get(other, only))}", hint)
