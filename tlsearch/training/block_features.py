"""Pooled features of photos at the top of a frozen backbone and below it, all in one pass."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tlsearch.store.entry import Entry
from tlsearch.store.key import ActivationKey
from tlsearch.store.store import ActivationStore
from tlsearch.training.activations import BATCH
from tlsearch.training.frozen import FrozenBackbone
from tlsearch.training.head import POOLED
from tlsearch.training.photos import Photos
from tlsearch.training.views import ORIGINAL

if TYPE_CHECKING:
    import keras

Features = dict[str, np.ndarray]
"""By cut, float32 [n, channels]."""
SHARES = (0.5, 0.75)
"""Which lower cuts are looked at: after so many of the blocks."""
_LARGEST = 16_384
"""Bytes that the features of a photo at one cut take at most: 4,096 channels."""


def lower_cuts(blocks: Sequence[str]) -> list[str]:
    """The ends of blocks below the top whose features are looked at."""
    places = {round(share * len(blocks)) - 1 for share in SHARES}
    return [blocks[place] for place in sorted(places) if 0 <= place < len(blocks) - 1]


def block_features(
    frozen: FrozenBackbone, photos: Photos, cuts: Sequence[str], store: ActivationStore | None
) -> Features:
    """The backbone's pooled output for all the photos, and the mean over the picture at each cut.

    Args:
        cuts: ends of blocks.
        store: where they are kept, and looked for first; trials find the pooled output there.

    Raises:
        HomeError: the disk is full, or may not be written to.
        WeightsError: the weights are not at hand.
    """
    names = [POOLED, *cuts]
    if store is None:
        return _compute(frozen, photos, names)
    with ExitStack() as opened:
        entries = {name: opened.enter_context(store.open(_key(frozen, name))) for name in names}
        if not store.make_room(len(photos) * len(names) * _LARGEST):
            return _compute(frozen, photos, names)
        _fill(frozen, photos, entries)
        return {name: entry.rows(photos.contents).read() for name, entry in entries.items()}


def select(photos: Photos, positions: np.ndarray) -> Photos:
    """The photos at these places of their split, in this order."""
    contents = tuple(photos.contents[position] for position in positions)
    return Photos(photos.pixels, photos.rows[positions], contents)


def _key(frozen: FrozenBackbone, name: str) -> ActivationKey:
    pooled = frozen.key(POOLED, ORIGINAL)
    return pooled if name == POOLED else replace(pooled, cut=f"mean:{name}")


def _fill(frozen: FrozenBackbone, photos: Photos, entries: Mapping[str, Entry]) -> None:
    """Compute what any of the entries lacks, and store it in each."""
    lacking = {one for entry in entries.values() for one in entry.missing(photos.contents)}
    if not lacking:
        return
    positions = np.array([i for i, one in enumerate(photos.contents) if one in lacking])
    some = select(photos, positions)
    places = {content: place for place, content in enumerate(some.contents)}
    computed = _compute(frozen, some, list(entries))
    for name, entry in entries.items():
        rows = computed[name]

        def look_up(contents: Sequence[str], rows: np.ndarray = rows) -> np.ndarray:
            return rows[[places[content] for content in contents]]

        entry.fill(photos.contents, rows.shape[1:], look_up)
        entry.note({"parameters": frozen.parameters})


def _compute(frozen: FrozenBackbone, photos: Photos, names: Sequence[str]) -> Features:
    model = _many_outputs(frozen, names)
    # Batches of one size, as few as there can be: all but the last hold no filling.
    size = math.ceil(len(photos) / math.ceil(len(photos) / BATCH))
    parts = [_predict(model, batch, size) for batch in photos.batches(size)]
    return {name: np.concatenate([part[name] for part in parts]) for name in names}


def _predict(model: keras.Model, batch: np.ndarray, size: int) -> Features:
    """The outputs of a batch, filled up to `size`: another shape would be traced, for seconds."""
    filled = np.resize(batch, (size, *batch.shape[1:]))
    return {name: rows[: len(batch)] for name, rows in model.predict_on_batch(filled).items()}


def _many_outputs(frozen: FrozenBackbone, names: Sequence[str]) -> keras.Model:
    """From photos to the features at each cut, in float32."""
    import keras

    outputs = {}
    for name in names:
        features = keras.ops.cast(frozen.between(None, name).output, "float32")
        inner = tuple(range(1, len(features.shape) - 1))
        outputs[name] = keras.ops.mean(features, axis=inner) if inner else features
    return keras.Model(frozen.network.input, outputs)
