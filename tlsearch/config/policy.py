"""How augmentation is named in a sweep file: a word, or values of one's own under a name.

Leaves out what the words stand for: the room of augmentation knows.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import Discriminator, Field, Tag, model_validator

from tlsearch.config.strict import Strict

PolicyName = Literal["none", "light", "strong", "randaugment"]
WORDS: tuple[str, ...] = get_args(PolicyName)
LIMITS = {
    "rotation": 180.0,
    "shift": 0.5,
    "shear": 45.0,
    "zoom": 0.9,
    "brightness": 0.95,
    "contrast": 0.95,
    "saturation": 0.95,
    "hue": 0.5,
    "magnitude": 10.0,
}
"""How far each range may go, also when a strength multiplies it."""
SMALLEST_CROP = 0.05
LONGEST_ASPECT = 4.0


class Policy(Strict):
    """Ranges that renditions of a photo are drawn from, evenly, under a name of one's own."""

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,39}$")
    """How Optuna, MLflow and tables show it."""
    flip: float = Field(default=0.5, ge=0, le=1)
    """The share of renditions that are mirrored left to right."""
    vertical_flip: float = Field(default=0.0, ge=0, le=1)
    """The share of renditions that are mirrored upside down."""
    rotation: float = Field(default=0.0, ge=0, le=LIMITS["rotation"])
    """Degrees, either way."""
    shift: float = Field(default=0.0, ge=0, le=LIMITS["shift"])
    """To each side, as a share of the photo's side."""
    shear: float = Field(default=0.0, ge=0, le=LIMITS["shear"])
    """Degrees that upright lines come to lean, either way."""
    zoom: float = Field(default=0.0, ge=0, le=LIMITS["zoom"])
    """How much more or less comes into view, as a share of the photo's side."""
    crop: float = Field(default=1.0, ge=SMALLEST_CROP, le=1)
    """The smallest share of the photo's area that is cut out."""
    aspect: float = Field(default=4 / 3, ge=1, le=LONGEST_ASPECT)
    """How long a cut-out may be, or how high, for each pixel of its other side."""
    brightness: float = Field(default=0.0, ge=0, le=LIMITS["brightness"])
    """How much brighter or darker, as a share."""
    contrast: float = Field(default=0.0, ge=0, le=LIMITS["contrast"])
    """How much further from the photo's mean, or nearer, as a share."""
    saturation: float = Field(default=0.0, ge=0, le=LIMITS["saturation"])
    """How much further from grey, or nearer, as a share."""
    hue: float = Field(default=0.0, ge=0, le=LIMITS["hue"])
    """How far hues are turned either way, in turns."""
    operations: int = Field(default=0, ge=0, le=8)
    """How many of RandAugment's operations follow (Cubuk et al. 2020), drawn for each photo."""
    magnitude: float = Field(default=9.0, ge=0, le=LIMITS["magnitude"])
    """How far these operations go, from 0 to 10."""

    @model_validator(mode="after")
    def _is_of_its_own(self) -> Policy:
        if self.name in WORDS:
            raise ValueError(f"{self.name} has values already: write the word, or another name")
        return self

    @property
    def label(self) -> str:
        """How Optuna, MLflow and tables show it."""
        return self.name


WORD_TAG, POLICY_TAG = "(word)", "(policy)"
"""No file can have these as keys: they tell pydantic's locations of a policy from its keys."""


def _kind(value: Any) -> str:
    return POLICY_TAG if isinstance(value, (dict, Policy)) else WORD_TAG


Augment = Annotated[
    Annotated[PolicyName, Tag(WORD_TAG)] | Annotated[Policy, Tag(POLICY_TAG)],
    Discriminator(_kind),
]
"""A word, or a policy of one's own."""


def label(policy: str | Policy) -> str:
    """How Optuna, MLflow and tables show a word or a policy."""
    return policy if isinstance(policy, str) else policy.label
