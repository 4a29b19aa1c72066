"""Where each photo's row lies: what the shards of one folder say, as far as they are intact."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tlsearch.store.shard import Shard, drop, list_shards, read_shard


class Index:
    """The places of rows in a folder. It drops shards that are damaged.

    Args:
        dtype: that rows must have.
        intact: names of shards whose checksum was compared by this process; it is added to.
    """

    def __init__(self, folder: Path, dtype: np.dtype, intact: set[str]) -> None:
        self._folder = folder
        self._dtype = dtype
        self._intact = intact
        self._shards: dict[Path, Shard] = {}
        self._places: dict[str, tuple[Shard, int]] = {}

    def __contains__(self, content: str) -> bool:
        return content in self._places

    def place(self, content: str) -> tuple[Shard, int]:
        """The shard that holds the photo's row, and which of its rows it is."""
        return self._places[content]

    def look(self, contents: Iterable[str], shape: tuple[int, ...]) -> None:
        """See which shards came and went, and check those that hold one of these photos.

        Args:
            shape: that a row must have.
        """
        there = set(list_shards(self._folder))
        for about in self._shards.keys() - there:
            self._forget(about)
        for about in sorted(there - self._shards.keys()):
            self._learn(about, shape)
        for shard in {self._places[one][0] for one in contents if one in self._places}:
            self._check(shard)

    def add(self, shard: Shard) -> None:
        """Remember a shard that this process has written."""
        self._intact.add(shard.rows.name)
        self._remember(shard)

    def _learn(self, about: Path, shape: tuple[int, ...]) -> None:
        shard = read_shard(about)
        if shard is None or (shard.shape, shard.dtype) != (shape, self._dtype):
            drop(about)
        else:
            self._remember(shard)

    def _check(self, shard: Shard) -> None:
        if shard.rows.name in self._intact:
            return
        if shard.is_intact():
            self._intact.add(shard.rows.name)
        else:
            shard.drop()
            self._forget(shard.rows.with_suffix(".json"))

    def _remember(self, shard: Shard) -> None:
        self._shards[shard.rows.with_suffix(".json")] = shard
        # The digests of a photo are the same text in every entry: kept once.
        self._places |= {sys.intern(one): (shard, row) for row, one in enumerate(shard.contents)}

    def _forget(self, about: Path) -> None:
        shard = self._shards.pop(about)
        for content in shard.contents:
            if content in self and self.place(content)[0] is shard:
                del self._places[content]
