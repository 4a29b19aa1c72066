"""What a bundle says about itself: `bundle.json`.

The server reads it, so nothing heavy is imported here. Leaves out how a model is exported.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)

from tlsearch.errors import BundleError
from tlsearch.export.checksums import EXPORT_AGAIN, not_a_bundle
from tlsearch.export.checksums import verify_checksums as verify_checksums
from tlsearch.export.checksums import write_checksums as write_checksums

MANIFEST_FILE = "bundle.json"
MODEL_FILE = "model.onnx"


class _Part(BaseModel):
    """A later version may add keys; `schema_version` rises where old ones change their meaning."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)


def _in_folder(name: str) -> str:
    if name in ("", ".", "..") or "/" in name or "\\" in name:
        raise ValueError(f"a file of the bundle has a plain name (received {name!r})")
    return name


FileName = Annotated[str, AfterValidator(_in_folder)]


class Score(_Part):
    """How the model does on one split."""

    photos: int = Field(ge=0)
    accuracy: float = Field(ge=0, le=1)
    """Share of photos whose most probable label is the true one."""
    interval: tuple[float, float] | None = None
    """The 95 % Wilson interval of the accuracy."""
    others: dict[str, float] = {}
    """Any other metric by its name."""


class Metrics(_Part):
    validation: Score
    test: Score | None = None


Precision = Literal["fp32", "fp16", "int8"]


class Variant(_Part):
    """One ONNX file, and what its precision costs and gains."""

    file: FileName
    precision: Precision
    size_bytes: int = Field(ge=0)
    max_difference: float = Field(ge=0)
    """The largest difference of a probability from Keras' on the validation split."""
    accuracy_validation: float | None = Field(default=None, ge=0, le=1)
    accuracy_test: float | None = Field(default=None, ge=0, le=1)
    accuracy_loss: float | None = None
    """How much of the fp32 model's accuracy on validation is lost; below 0 it is a gain."""
    speedup: float | None = Field(default=None, gt=0)
    """How many times faster than fp32 it was where it was made, with one thread."""
    provider: str | None = None
    """What of onnxruntime that was measured on."""
    recipe: str | None = None
    """How it was made of the fp32 model."""
    tolerance: float = Field(default=1e-3, gt=0)
    """How far its golden probabilities may be off on another machine."""


class LeftOut(_Part):
    """A precision that was asked for and did not earn its place."""

    precision: Precision
    reason: str
    accuracy_validation: float | None = Field(default=None, ge=0, le=1)
    speedup: float | None = Field(default=None, gt=0)


class Sureness(_Part):
    """How well probabilities fit what happens, before and after the temperature."""

    log_loss_before: float
    log_loss_after: float
    calibration_error_before: float = Field(ge=0, le=1)
    """The expected calibration error over 15 bins."""
    calibration_error_after: float = Field(ge=0, le=1)


class Calibration(_Part):
    """The temperature that the logits are divided by, inside of every model of the bundle."""

    method: Literal["temperature"] = "temperature"
    temperature: float = Field(gt=0)
    at_bound: bool
    """Whether the best temperature lies beyond the bounds 0.25 and 8."""
    validation: Sureness
    """The split that it was fitted on."""
    test: Sureness | None = None


class Run(_Part):
    """Where the model came from."""

    sweep: str
    trial: int = Field(ge=0)
    mlflow_run: str | None = None
    dataset: str
    """The digest of the data set."""


class Manifest(_Part):
    """`bundle.json`."""

    schema_version: Literal[1] = 1
    name: str = Field(min_length=1)
    labels: list[str] = Field(min_length=2)
    """The class of each column of `probabilities`."""
    image_size: int = Field(ge=1)
    """Pixels a side of the square that `images` wants."""
    resize: dict[str, str]
    """How a photo becomes that square: `RESIZE_RULE` of tlsearch/data/photo.py."""
    backbone: str
    strategy: str
    parameters: dict[str, str | int | float | bool | None] = {}
    metrics: Metrics
    calibration: Calibration | None = None
    """None where the probabilities are as they were trained."""
    variants: list[Variant] = Field(min_length=1)
    left_out: list[LeftOut] = []
    max_accuracy_loss: float | None = None
    """What a variant was allowed to lose on validation."""
    run: Run
    versions: dict[str, str] = {}
    """Library to version."""
    created: AwareDatetime

    @field_validator("labels")
    @classmethod
    def _differ(cls, labels: list[str]) -> list[str]:
        if len(set(labels)) < len(labels):
            raise ValueError("two labels are the same")
        return labels

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read `bundle.json`.

        Raises:
            BundleError: it is not there, or does not say what it has to.
        """
        path = Path(folder) / MANIFEST_FILE
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise not_a_bundle(folder, f"{MANIFEST_FILE}: {error.strerror}") from error
        except ValidationError as error:
            raise BundleError(
                f"{path} does not say what a bundle has to",
                received=_first(error),
                expected="bundle.json of schema_version 1",
                hint=EXPORT_AGAIN,
            ) from error

    def write(self, folder: Path) -> Path:
        """Write `bundle.json` into `folder` and return its path."""
        path = Path(folder) / MANIFEST_FILE
        path.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
        return path

    def variant(self, precision: str) -> Variant:
        """The variant of that precision.

        Raises:
            BundleError: the bundle has none.
        """
        for variant in self.variants:
            if variant.precision == precision:
                return variant
        raise BundleError(
            f"the bundle has no {precision} model",
            received=precision,
            expected=f"one of {', '.join(variant.precision for variant in self.variants)}",
            hint=f"choose {self.variants[0].precision}",
        )


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    place = ".".join(str(step) for step in first["loc"]) or "the file"
    return f"{place}: {first['msg']}"
