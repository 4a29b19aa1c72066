"""What one entry of `space` may be: a fixed value, a list of choices, or a range."""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from tlsearch.config.policy import Policy
from tlsearch.config.strict import Strict

T = TypeVar("T")
I = TypeVar("I", bound=int)  # noqa: E741
F = TypeVar("F", bound=float)
Scalar = str | int | float | bool

BACKBONE_KEYS = frozenset({"name", "alpha", "weights"})
VALUE_KEYS = BACKBONE_KEYS | Policy.model_fields.keys()
"""The keys of backbones and policies, the choices that are themselves mappings."""
RECIPE_BACKBONE = ("backbone",)
BACKBONE_PLACES = (("space", "backbone"), RECIPE_BACKBONE)
"""Where a sweep or a recipe names backbones."""
AUGMENT_PLACE = ("space", "augment")
RANGE_KEYS = frozenset({"type", "low", "high", "log", "step"})


class Conditional(Strict):
    when: dict[str, Scalar | list[Scalar]] | None = None
    """Only sampled where these other parameters have (one of) these values."""


class Choices(Conditional, Generic[T]):
    """One of a list of values. A single value is a parameter that is not searched."""

    # Reading attribute docstrings needs the source of the class, which `Choices[int]` lacks.
    model_config = ConfigDict(use_attribute_docstrings=False)

    choices: list[T] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _accept_shorthand(cls, value: Any) -> Any:
        """Let `16`, and `[16, 32]`, stand for `{choices: [16]}` and `{choices: [16, 32]}`."""
        if isinstance(value, list):
            return {"choices": value}
        if isinstance(value, BaseModel) or (
            isinstance(value, dict) and not value.keys() & VALUE_KEYS
        ):
            return value
        return {"choices": [value]}

    @model_validator(mode="after")
    def _choices_differ(self) -> Choices[T]:
        for number, choice in enumerate(self.choices):
            if choice in self.choices[:number]:
                raise ValueError(f"the choice {choice} is there twice")
        return self


class Range(Conditional):
    log: bool = False
    """Sample the logarithm uniformly."""

    @model_validator(mode="after")
    def _low_is_below_high(self) -> Range:
        low, high = getattr(self, "low", 0), getattr(self, "high", 1)
        if low >= high:
            raise ValueError(f"low must be below high (low {low}, high {high})")
        if self.log and low <= 0:
            raise ValueError(f"a logarithmic range must start above 0 (low {low})")
        return self


class IntRange(Range, Generic[I]):
    """Whole numbers from `low` to `high`, both included."""

    model_config = ConfigDict(use_attribute_docstrings=False)

    type: Literal["int"]
    low: I
    high: I
    step: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _steps_are_linear(self) -> IntRange[I]:
        if self.log and self.step != 1:
            raise ValueError(f"a logarithmic range has no step (step {self.step})")
        return self


class FloatRange(Range, Generic[F]):
    """Numbers from `low` to `high`; with a `step`, only whole steps from `low` on."""

    model_config = ConfigDict(use_attribute_docstrings=False)

    type: Literal["float"]
    low: F
    high: F
    step: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _steps_lead_to_the_end(self) -> FloatRange[F]:
        if self.step is None:
            return self
        if self.log:
            raise ValueError(f"a logarithmic range has no step (step {self.step:g})")
        steps = (self.high - self.low) / self.step
        if abs(steps - round(steps)) > 1e-6:
            raise ValueError(
                f"no whole steps lead from low to high "
                f"(low {self.low:g}, high {self.high:g}, step {self.step:g})"
            )
        return self


def one_of(*values: Any, when: dict[str, Any] | None = None) -> Any:
    """A default for a parameter: the choices, and where it is sampled at all."""
    return {"choices": list(values), "when": when}


def _kind(value: Any) -> str:
    """Which of the two is meant; a mapping with neither's keys counts as choices."""
    if isinstance(value, dict):
        return "range" if "choices" not in value and value.keys() & RANGE_KEYS else "choices"
    return "range" if isinstance(value, Range) else "choices"


CHOICES, RANGE = Tag("choices"), Tag("range")
EITHER = Discriminator(_kind)
