"""The views of a photo: itself, and renditions of it that are drawn once and kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tlsearch.augmentation.draws import view_seeds
from tlsearch.augmentation.renderer import Renderer
from tlsearch.training.photos import Photos

ORIGINAL = "original"
"""The name of the view in which photos are as they are."""


@dataclass(frozen=True)
class View:
    """One way of seeing photos: as they are, or one rendition of each by a renderer.

    total: how many views there are beside this one and with it.
    """

    number: int = 0
    renderer: Renderer | None = None
    total: int = 1

    @property
    def name(self) -> str:
        return f"{self.renderer.name}#{self.number}" if self.renderer else ORIGINAL

    def see(self, photos: Photos, positions: np.ndarray) -> np.ndarray:
        """The photos at these places of their split, rendered: uint8 [n, s, s, 3]."""
        pixels = photos.take(positions)
        if self.renderer is None:
            return pixels
        contents = [photos.contents[position] for position in positions]
        return self.renderer.render(pixels, view_seeds(contents, self.number))


def views(renderer: Renderer | None, number: int) -> list[View]:
    """The views of each photo: itself, and renditions of it that make them `number` in all.

    The photo itself is among them because the probe, the screening and trials without
    augmentation want it anyway.
    """
    if renderer is None:
        return [View()]
    return [View(total=number), *(View(one, renderer, number) for one in range(1, number))]
