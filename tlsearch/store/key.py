"""What an entry of the activation store holds: everything that its numbers depend on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, kw_only=True)
class ActivationKey:
    """One frozen prefix, one cut and one view; the photos are no part of it.

    backbone: its label, such as `MobileNetV2(alpha=0.5)`.
    weights: SHA-256 of the weights' content.
    preprocessing: the name of the rule that comes before the network.
    resize: the digest of the rule by which photos become squares.
    image_size: pixels a side.
    cut: the operation whose output is kept, or `pooled:avg`.
    view: `original`, or a text that determines the rendition of every photo: `light@1.0#3`.
    dtype: how the numbers are kept: float16 or float32.
    compute: the dtype policy that the prefix ran in.
    version: of Keras, and what else could change the numbers.
    """

    backbone: str
    weights: str
    preprocessing: str
    resize: str
    image_size: int
    cut: str
    view: str
    dtype: str = "float16"
    compute: str = "float32"
    version: str

    @property
    def digest(self) -> str:
        """SHA-256 in hex over all of it: the entry's name."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()
