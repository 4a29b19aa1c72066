"""How likely a proposed trial has which values, where nothing is known yet.

Leaves out what a sampler learns: every choice is as likely as the next one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tlsearch.config.enqueue_check import plain
from tlsearch.config.parameters import Choices, FloatRange, IntRange
from tlsearch.config.schema import Space

Parameter = Choices[Any] | IntRange | FloatRange
MOST = 1_000
"""Steps of a range above which hardly any two trials have the same value."""


def ordered(space: Space) -> Iterator[tuple[str, Parameter]]:
    """The parameters of the space so that each comes after those its `when` names."""
    waiting: dict[str, Parameter] = {name: getattr(space, name) for name in Space.model_fields}
    while waiting:
        ready = [name for name, p in waiting.items() if not (p.when or {}).keys() & waiting.keys()]
        for name in ready:
            yield name, waiting.pop(name)


def applies(parameter: Parameter, values: Mapping[str, Any]) -> bool:
    """Whether a parameter's `when` holds for the values that come before it."""
    for name, allowed in (parameter.when or {}).items():
        wanted = allowed if isinstance(allowed, list) else [allowed]
        if name not in values or plain(values[name]) not in wanted:
            return False
    return True


def combinations(space: Space, names: Iterable[str]) -> list[tuple[dict[str, Any], float]]:
    """Every combination of values of these parameters and of those they depend on.

    Returns:
        Values by name, those that do not apply left out, and their probability. For a range that
        hardly gives two trials the same, the range itself stands as the value.
    """
    wanted = _with_conditions(space, set(names))
    found: list[tuple[dict[str, Any], float]] = [({}, 1.0)]
    for name, parameter in ordered(space):
        if name in wanted:
            found = [
                ({**values, **more}, share * part)
                for values, share in found
                for more, part in _spread(name, parameter, values)
            ]
    return found


def _with_conditions(space: Space, names: set[str]) -> set[str]:
    depends = {other for name in names for other in (getattr(space, name).when or {})}
    return names if depends <= names else _with_conditions(space, names | depends)


def _spread(
    name: str, parameter: Parameter, values: Mapping[str, Any]
) -> list[tuple[dict[str, Any], float]]:
    if not applies(parameter, values):
        return [({}, 1.0)]
    weighed = _weigh(parameter)
    total = sum(weight for _, weight in weighed)
    return [({name: value}, weight / total) for value, weight in weighed]


def _weigh(parameter: Parameter) -> list[tuple[Any, float]]:
    if isinstance(parameter, Choices):
        return [(choice, 1.0) for choice in parameter.choices]
    if parameter.step is None or (parameter.high - parameter.low) / parameter.step > MOST:
        return [(parameter, 1.0)]
    steps = round((parameter.high - parameter.low) // parameter.step)
    if isinstance(parameter, FloatRange):
        steps = round((parameter.high - parameter.low) / parameter.step)
    points = [parameter.low + parameter.step * step for step in range(steps + 1)]
    # As Optuna does it, a whole number stands for all that is rounded to it.
    return [(one, math.log((one + 0.5) / (one - 0.5)) if parameter.log else 1.0) for one in points]
