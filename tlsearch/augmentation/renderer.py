"""Renditions of photos by a policy at a strength: the same for a photo and a seed, always.

They depend on nothing else: not on the batch, the order or the number of threads. Activations of
renditions are stored, so `ARITHMETIC` has to change whenever the pixels do.
"""

from __future__ import annotations

import json
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import numpy as np

from tlsearch.augmentation import colour, geometry, randaugment
from tlsearch.augmentation.draws import shares
from tlsearch.augmentation.policies import BUILT_IN, at_strength
from tlsearch.config.policy import Policy
from tlsearch.cores import usable_cores

ARITHMETIC = 1
"""The version of what turns a photo and a seed into a rendition."""
_DIGITS = 6
# Waking a thread takes as long as a small photo.
_AT_ONCE = 8


class Renderer:
    """Makes renditions of photos by one policy at one strength.

    `name` says all that decides the pixels beside photo and seed: `light@1.0-v1`.
    """

    def __init__(self, policy: Policy, name: str) -> None:
        self.name = name
        self._policy = policy
        self._threads = ThreadPoolExecutor(usable_cores(), thread_name_prefix="renditions")

    def render(self, photos: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        """A rendition of each photo.

        Args:
            photos: uint8 [n, s, s, 3] RGB; left as they are.
            seeds: uint64 [n], as `draws.view_seeds` makes them.

        Returns:
            uint8 [n, s, s, 3].
        """
        made = np.empty_like(photos, order="C")

        def render(start: int) -> None:
            for row in range(start, min(start + _AT_ONCE, len(photos))):
                made[row] = self._render(photos[row], int(seeds[row]))

        deque(self._threads.map(render, range(0, len(photos), _AT_ONCE)), maxlen=0)
        return made

    def _render(self, photo: np.ndarray, seed: int) -> np.ndarray:
        policy = self._policy
        fixed = geometry.DRAWS + colour.DRAWS
        draw = shares(seed, fixed + policy.operations * randaugment.DRAWS)
        chosen = randaugment.choose(policy.magnitude, draw[fixed:])
        whole = randaugment.move(geometry.draw_map(policy, draw[: geometry.DRAWS]), chosen)
        image = geometry.warp(photo, whole)
        image = colour.recolour(image, policy, draw[geometry.DRAWS : fixed])
        return np.asarray(randaugment.change(image, chosen))


def renderer(policy: str | Policy, strength: float = 1.0) -> Renderer | None:
    """The renderer of a policy: one of the words of `space.augment`, or a user's own.

    None where renditions are the photos themselves: for `none`, and at strength 0.
    """
    # A range in steps can give 0.30000000000000004, and that is to be 0.3.
    strength = round(float(strength), _DIGITS)
    if policy == "none" or strength == 0:
        return None
    if isinstance(policy, str):
        name, values = policy, BUILT_IN[policy]
    else:
        name, values = f"policy-{_digest(policy)}", policy
    return Renderer(at_strength(values, strength), f"{name}@{strength}-v{ARITHMETIC}")


def _digest(policy: Policy) -> str:
    """Of a policy's values: what it is called does not matter."""
    values = policy.model_dump(exclude={"name"})
    return sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
