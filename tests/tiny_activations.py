"""Activations that follow from a photo's content, so that any process can tell right from wrong."""

from __future__ import annotations

import hashlib

import numpy as np

from tlsearch.store.key import ActivationKey

SHAPE = (3, 3, 8)
ROW_BYTES = 3 * 3 * 8 * 2


def key(**changes):
    plain = {
        "backbone": "MobileNet(alpha=0.25)",
        "weights": "0" * 64,
        "preprocessing": "tf",
        "resize": "1" * 64,
        "image_size": 96,
        "cut": "conv_pw_9_relu",
        "view": "original",
        "version": "test",
    }
    return ActivationKey(**plain | changes)


def contents(count, start=0):
    numbers = range(start, start + count)
    return [hashlib.sha256(str(number).encode()).hexdigest() for number in numbers]


def expected(photos):
    """float32 [len(photos), *SHAPE]."""
    seeds = (int(photo[:8], 16) for photo in photos)
    return np.stack([np.random.default_rng(seed).normal(size=SHAPE).astype("f4") for seed in seeds])
