"""SimCLR's augmentation: two random renditions of each photo.

Cut out, mirrored, blurred, recoloured and greyed as in Chen et al. 2020, appendix A; hues are
turned about the grey axis, which a 3 x 3 matrix does, instead of in HSV.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from tlsearch.augmentation.colour import LUMA, turn_hue
from tlsearch.config.pretraining import Views

_LUMA = LUMA.astype(np.float32)
_ASPECT = np.log(4 / 3)
_RECOLOURED = 0.8
_MIRRORED = 0.5


@dataclass(frozen=True)
class ViewMaker:
    """Makes renditions of `size` pixels a side; several threads share the work."""

    views: Views
    size: int

    def pairs(self, photos: np.ndarray, seed: tuple[int, ...]) -> np.ndarray:
        """Two renditions of each photo, one after the other.

        Args:
            photos: uint8 [n, s, s, 3] RGB.
            seed: the same seed makes the same renditions.

        Returns:
            uint8 [2 n, size, size, 3]; rows 2 i and 2 i + 1 come from photo i.
        """
        return self.singles(np.repeat(photos, 2, axis=0), seed)

    def singles(self, photos: np.ndarray, seed: tuple[int, ...]) -> np.ndarray:
        """One rendition of each photo: uint8 [n, size, size, 3]."""
        seeds = np.random.SeedSequence(seed).spawn(len(photos))
        with ThreadPoolExecutor() as threads:
            return np.stack(list(threads.map(self.render, photos, seeds)))

    def render(self, photo: np.ndarray, seed: np.random.SeedSequence) -> np.ndarray:
        """One rendition of a photo uint8 [s, s, 3]."""
        random = np.random.default_rng(seed)
        image = self._cut(photo, random)
        if random.random() < _MIRRORED:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if random.random() < self.views.blur:
            radius = random.uniform(0.1, 1.5) * self.size / 96
            image = image.filter(ImageFilter.GaussianBlur(radius))
        values = np.asarray(image, np.float32)
        if random.random() < _RECOLOURED:
            values = self._recolour(values, random)
        if random.random() < self.views.grey:
            values = np.repeat((values @ _LUMA)[..., None], 3, axis=2)
        return np.clip(np.rint(values), 0, 255).astype(np.uint8)

    def _cut(self, photo: np.ndarray, random: np.random.Generator) -> Image.Image:
        """A random part of the photo, of nearly square form, resized.

        The more of the photo it shows, the squarer it is: a longer one would not fit in.
        """
        side = len(photo)
        share = random.uniform(self.views.crop, 1)
        longest = min(_ASPECT, abs(np.log(share)))
        aspect = np.exp(random.uniform(-longest, longest))
        width, height = np.minimum(side * np.sqrt([share * aspect, share / aspect]), side)
        left, top = random.uniform(0, [side - width, side - height])
        box = (left, top, min(left + width, side), min(top + height, side))
        size = (self.size, self.size)
        return Image.fromarray(photo).resize(size, Image.Resampling.BILINEAR, box)

    def _recolour(self, values: np.ndarray, random: np.random.Generator) -> np.ndarray:
        share = self.views.colour
        factors = random.uniform(1 - share, 1 + share, 3)
        brightness, contrast, saturation = factors.astype(np.float32)
        matrix = turn_hue(random.uniform(-1, 1) * self.views.hue)
        matrix = saturation * matrix + (1 - saturation) * _LUMA
        coloured = brightness * values @ matrix.T.astype(np.float32)
        mean = coloured.mean()
        return mean + contrast * (coloured - mean)
