"""The recipe of a pretraining as pydantic models: one class for each of its sections."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tlsearch.config.schema import Backbone, ImageSize, PhotoData, Tracking
from tlsearch.config.strict import Strict

DRAWN = "generated:patterns"
Method = Literal["supervised", "simclr"]
_OF_PHOTOS = tuple(key for key in PhotoData.model_fields if key != "source")


class Patterns(Strict):
    """The task that `source: generated:patterns` draws: patterns in palettes, without end."""

    patterns: int = Field(default=96, ge=2)
    """How many patterns there are to tell apart, evenly fractals, shapes, textures, gratings."""
    seed: int = Field(default=7, ge=0)
    pictures_per_epoch: int = Field(default=16_384, ge=1)
    """How many new pictures are drawn for each epoch."""
    passes: int = Field(default=4, ge=1)
    """How often an epoch goes through its pictures, mirrored and turned anew each time."""
    processes: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    """How many draw at once; auto: one for each core."""


class PretrainingData(PhotoData):
    """What is looked at. Of photos, only those of the train split are learned from."""

    source: str = Field(min_length=1)
    """`generated:patterns`, or photos: a folder (for `method: simclr` of any layout), a .tgz or
    .zip (a path or an address), a .csv manifest, or `generated:flowers`. A relative path in a
    recipe starts at the recipe's folder."""
    patterns: Patterns = Patterns()


class Views(Strict):
    """How renditions of a photo are made (Chen et al. 2020, appendix A): two for SimCLR."""

    crop: float = Field(default=0.2, gt=0, le=1)
    """The smallest share of a photo's area that is cut out."""
    colour: float = Field(default=0.4, ge=0, lt=1)
    """How far brightness, contrast and saturation change, as a share."""
    hue: float = Field(default=0.05, ge=0, le=0.5)
    """How far hues are turned, in turns."""
    grey: float = Field(default=0.1, ge=0, le=1)
    """The share of renditions without colour."""
    blur: float = Field(default=0.5, ge=0, le=1)
    """The share of renditions that are blurred."""


class SimCLR(Strict):
    """Contrastive learning without labels (Chen et al. 2020)."""

    temperature: float = Field(default=0.2, gt=0)
    projection: int = Field(default=64, ge=2)
    """Width of the projection that the loss compares; it is thrown away afterwards."""


class PretrainingSteps(Strict):
    """How the network learns."""

    epochs: int = Field(default=20, ge=1)
    batch_size: int = Field(default=128, ge=2)
    learning_rate: float = Field(default=2e-3, gt=0)
    """At its highest: it rises over the first twentieth of the steps, then falls along a cosine."""
    weight_decay: float = Field(default=1e-4, ge=0)
    precision: Literal["auto", "float32", "mixed_float16", "mixed_bfloat16"] = "auto"
    """auto: mixed_bfloat16 on a GPU that has it, float32 elsewhere."""


class Probe(Strict):
    """A linear classifier on the features of labelled photos, to watch what was learned."""

    source: str = Field(min_length=1)
    every: int = Field(default=5, ge=1)
    """Epochs between two probes. There is one before the first epoch and one after the last."""
    image_size: ImageSize | None = None
    """Pixels a side; default: the size of the pretraining."""


class Output(Strict):
    """The weights that come of it."""

    path: str | None = Field(default=None, pattern=r"\.weights\.h5$")
    """A .weights.h5 file; default: under TLSEARCH_HOME. A relative path in a recipe starts at the
    recipe's folder."""
    dtype: Literal["float32", "float16"] = "float32"
    """How kernels are kept; float16 takes half the room. Networks compute in float32 anyway."""


class Pretraining(Strict):
    """One recipe: a backbone, what it looks at, and how it learns."""

    version: Literal[1]
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    backbone: Backbone
    """Its `weights` are what it starts from; `random` is nothing."""
    image_size: ImageSize | None = None
    """Pixels a side; default: what the backbone is used at."""
    method: Method
    simclr: SimCLR = SimCLR()
    data: PretrainingData
    views: Views = Views()
    train: PretrainingSteps = PretrainingSteps()
    seed: int = Field(default=0, ge=0)
    probe: Probe | None = None
    output: Output = Output()
    tracking: Tracking = Tracking()

    @property
    def is_drawn(self) -> bool:
        """Whether the pictures are drawn as they are needed."""
        return self.data.source == DRAWN


def without_effect(method: str, source: str) -> dict[tuple[str, ...], str]:
    """The sections that nothing reads with this method and source, and what each is for."""
    drawn, contrasts = source == DRAWN, method == "simclr"
    unused: dict[tuple[str, ...], str] = {}
    if not contrasts:
        unused[("simclr",)] = "`method: simclr`"
    if drawn and not contrasts:
        unused[("views",)] = "photos, and for `method: simclr`"
    if not drawn:
        unused[("data", "patterns")] = f"`source: {DRAWN}`"
    return unused | {("data", key): "photos" for key in _OF_PHOTOS if drawn}
