"""Random numbers that follow from a photo and the number of a view, and from nothing else.

NumPy promises that the raw numbers of its bit generators stay as they are for ever; it does not
promise that of its distributions, so the step from raw numbers to shares is made here.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

_UNUSED_BITS, _STEP = np.uint64(11), 2.0**-53


def view_seeds(contents: Sequence[str], view: int) -> np.ndarray:
    """A seed for each photo's rendition: uint64 [n].

    Args:
        contents: each photo's SHA-256, in hexadecimal digits.
        view: the number of the view, or with fresh renditions in every epoch the epoch's.
    """
    digests = [blake2b(f"{one}/{view}".encode(), digest_size=8).digest() for one in contents]
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def shares(seed: int, count: int) -> np.ndarray:
    """`count` even draws from [0, 1): float64. A longer row starts like a shorter one."""
    raw = np.random.Philox(key=seed).random_raw(count)
    return (raw >> _UNUSED_BITS) * _STEP
