"""From the sweep file's space to the configuration of one Optuna trial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tlsearch.backbones.table import default_image_size
from tlsearch.config.combinations import Parameter, applies, ordered
from tlsearch.config.configuration import Configuration
from tlsearch.config.enqueue_check import plain
from tlsearch.config.parameters import Choices, FloatRange, IntRange
from tlsearch.config.schema import Space

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial, Trial

    AnyTrial = Trial | FrozenTrial


def sample(space: Space, trial: AnyTrial) -> Configuration:
    """Ask Optuna for every parameter that applies, those that others depend on first.

    A parameter with one choice is not searched, so Optuna never sees it. Calling this again
    for a trial that already has its parameters gives the same configuration.
    """
    values: dict[str, Any] = {}
    for name, parameter in ordered(space):
        if applies(parameter, values):
            values[name] = _suggest(name, parameter, trial)
    values["image_size"] = values["image_size"] or default_image_size(values["backbone"].name)
    return Configuration(**values)


def searched(space: Space) -> list[str]:
    """The names of the parameters that have more than one value."""
    return [
        name
        for name, parameter in ordered(space)
        if not isinstance(parameter, Choices) or len(parameter.choices) > 1
    ]


def fixed(space: Space, given: Mapping[str, Any]) -> dict[str, Any]:
    """These parameters of a trial, named and valued as tables show them, as `sample` asks for them.

    What has one choice is not asked for; the size a backbone was trained at is null.
    """
    values = {name: value for name, value in given.items() if name in searched(space)}
    sizes = space.image_size.choices
    if "image_size" in values and values["image_size"] not in sizes:
        values["image_size"] = None
    return values


def _suggest(name: str, parameter: Parameter, trial: AnyTrial) -> Any:
    if isinstance(parameter, IntRange):
        return trial.suggest_int(
            name, parameter.low, parameter.high, step=parameter.step, log=parameter.log
        )
    if isinstance(parameter, FloatRange):
        return trial.suggest_float(
            name, parameter.low, parameter.high, step=parameter.step, log=parameter.log
        )
    choices = {plain(choice): choice for choice in parameter.choices}
    if len(choices) == 1:
        return parameter.choices[0]
    return choices[trial.suggest_categorical(name, list(choices))]
