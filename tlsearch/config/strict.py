"""The base of every part of a sweep file or recipe."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from tlsearch.redaction import redact


class Strict(BaseModel):
    """The base of every part of a sweep file or recipe.

    Unknown keys are refused, values are frozen, and a value has the type that YAML 1.2 gives it:
    `"10"` is no number, `true` is not 1.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    def __repr__(self) -> str:
        return redact(super().__repr__())

    def __str__(self) -> str:
        return redact(super().__str__())
