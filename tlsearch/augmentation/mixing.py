"""Mixup and CutMix: batches whose photos are blends of two, and their targets likewise."""

from __future__ import annotations

import math

import numpy as np

_PARTS = 256


def mix(
    photos: np.ndarray,
    targets: np.ndarray,
    random: np.random.Generator,
    *,
    mixup: float,
    cutmix: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Each photo of a batch with another one of it, in a proportion that is drawn for the batch.

    Mixup (Zhang et al. 2018) lays one photo over the other; CutMix (Yun et al. 2019) puts a
    rectangle of the other one in. With both, each batch draws one of them, evenly.

    Args:
        photos: uint8 [n, s, s, 3].
        targets: float32 [n, classes], each row's sum 1.
        mixup, cutmix: alpha of the Beta(alpha, alpha) that the proportion is drawn from; 0 is off.

    Returns:
        Photos uint8, so that a network has one kind of input and a batch stays a quarter of the
        size; rounding moves a pixel by at most half a level. Targets float32 in the same
        proportion as the pixels.
    """
    if not mixup and not cutmix:
        return photos, targets
    partners = random.permutation(len(photos))
    if cutmix and (not mixup or random.random() < 0.5):
        return _cut_in(photos, targets, partners, random, cutmix)
    share = round(random.beta(mixup, mixup) * _PARTS)
    blended = photos * np.uint16(share) + photos[partners] * np.uint16(_PARTS - share)
    mixed = ((blended + np.uint16(_PARTS // 2)) // np.uint16(_PARTS)).astype(np.uint8)
    return mixed, _blend(targets, partners, share / _PARTS)


def _cut_in(
    photos: np.ndarray,
    targets: np.ndarray,
    partners: np.ndarray,
    random: np.random.Generator,
    alpha: float,
) -> tuple[np.ndarray, np.ndarray]:
    size = photos.shape[1]
    side = size * math.sqrt(1 - random.beta(alpha, alpha))
    spans = [_span(float(centre), side, size) for centre in random.uniform(0, size, 2)]
    rows, columns = (slice(*span) for span in spans)
    mixed = photos.copy()
    mixed[:, rows, columns] = photos[partners, rows, columns]
    area = math.prod(last - first for first, last in spans)
    return mixed, _blend(targets, partners, 1 - area / size**2)


def _span(centre: float, side: float, size: int) -> tuple[int, int]:
    """From which pixel to before which one; what lies beyond the edges is left out."""
    return max(0, round(centre - side / 2)), min(size, round(centre + side / 2))


def _blend(targets: np.ndarray, partners: np.ndarray, share: float) -> np.ndarray:
    return (share * targets + (1 - share) * targets[partners]).astype(np.float32)
