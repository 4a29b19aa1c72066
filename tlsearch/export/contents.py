"""What goes into a bundle, before it is written: its models, how good they are, its samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tlsearch.export.calibration import Temperature
from tlsearch.export.golden import Golden
from tlsearch.export.manifest import MODEL_FILE, LeftOut, Precision
from tlsearch.report.evaluation import Evaluation

if TYPE_CHECKING:
    from tlsearch.export.job import ExportJob


_LAST_BIT = 1e-9
"""A loss is a difference of two fractions: it must not fail by its last bit."""


def is_too_bad(loss: float, limit: float) -> bool:
    """Whether a variant loses more of the accuracy on validation than it may."""
    return loss > limit + _LAST_BIT


@dataclass(frozen=True, eq=False)
class Candidate:
    """An ONNX model of some precision, serialised, and what it answers on validation.

    `recipe` says how it was made of the fp32 model; None for that one itself.
    """

    precision: Precision
    content: bytes
    validation: Evaluation
    recipe: str | None = None


@dataclass(frozen=True)
class Gain:
    """How many times faster than fp32 a model is, and on which provider of onnxruntime."""

    speedup: float
    provider: str


@dataclass(frozen=True, eq=False)
class Model:
    """A model that goes into the bundle.

    Attributes:
        gain: None for fp32.
        test: None where the test split is left alone.
        max_difference: of a probability from Keras', on validation.
        tolerance: how far its golden answers may be off on another machine.
    """

    candidate: Candidate
    gain: Gain | None
    test: Evaluation | None
    max_difference: float
    tolerance: float

    @property
    def file(self) -> str:
        """The name of its file in the bundle."""
        precision = self.candidate.precision
        return MODEL_FILE if precision == "fp32" else f"model.{precision}.onnx"


@dataclass(frozen=True, eq=False)
class Contents:
    """What goes into a bundle; the fp32 model is the first.

    Attributes:
        temperature: None where the probabilities are as they were trained.
    """

    job: ExportJob
    models: tuple[Model, ...]
    left_out: tuple[LeftOut, ...]
    temperature: Temperature | None
    golden: Golden

    @property
    def validation(self) -> Evaluation:
        """Of the fp32 model."""
        return self.models[0].candidate.validation

    @property
    def test(self) -> Evaluation | None:
        """Of the fp32 model; None where the test split is left alone."""
        return self.models[0].test
