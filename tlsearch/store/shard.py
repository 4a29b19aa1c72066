"""A shard: the rows of some photos in one file, and beside it which photos, and a checksum.

The second file is written when the first has reached the disk; a shard counts once both are
there. Names are never used twice, so that what a reader knows of a name stays true.
"""

from __future__ import annotations

import math
import os
import uuid
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tlsearch.files import sync, write_whole
from tlsearch.store.files import raise_unless_damaged, read_sealed, write_sealed

_PREFIX = "shard-"
_PIECE = 2**20


@dataclass(frozen=True, eq=False)
class Shard:
    """What is known of a shard without reading its rows.

    rows: the file of raw numbers, [len(contents), *shape] of dtype, one row after the other.
    contents: SHA-256 of the photos' files, in the order of the rows.
    crc32: of the whole file. It finds every change of up to 32 bits in a row for certain, any
        other but one in 2**32, and reads 3.7 GB/s where BLAKE2b read 0.8 and SHA-256 1.3.
    """

    rows: Path
    contents: Sequence[str]
    shape: tuple[int, ...]
    dtype: np.dtype
    crc32: int

    @property
    def bytes_(self) -> int:
        return len(self.contents) * math.prod(self.shape) * self.dtype.itemsize

    def is_intact(self) -> bool:
        """Read all rows and compare their checksum."""
        try:
            return self.rows.stat().st_size == self.bytes_ and _checksum(self.rows) == self.crc32
        except OSError as error:
            raise_unless_damaged(error)
            return False

    def drop(self) -> None:
        """Remove both files, the one that makes it count first. Needs no lock."""
        drop(self.rows.with_suffix(".json"))


def write_shard(folder: Path, contents: Sequence[str], rows: np.ndarray) -> Shard:
    """Write the rows of these photos; a failure leaves nothing that is counted as a shard."""
    file = folder / f"{_PREFIX}{uuid.uuid4().hex}.rows"
    rows = np.ascontiguousarray(rows)
    data = rows.reshape(-1).view(np.uint8).data
    shard = Shard(file, tuple(contents), rows.shape[1:], rows.dtype, zlib.crc32(data))
    about = {
        "contents": list(contents),
        "shape": list(shard.shape),
        "dtype": str(shard.dtype),
        "crc32": shard.crc32,
    }
    try:
        write_whole(file, data)
        write_sealed(file.with_suffix(".json"), about)
        sync(folder)
    except BaseException:
        shard.drop()
        raise
    return shard


def read_shard(about: Path) -> Shard | None:
    """The shard that this JSON file tells of; None if either of its files is not as it should be.

    Only the length of the rows is looked at; `is_intact` reads them.
    """
    told = read_sealed(about)
    if told is None:
        return None
    dtype, shape = np.dtype(told["dtype"]), tuple(told["shape"])
    shard = Shard(about.with_suffix(".rows"), told["contents"], shape, dtype, told["crc32"])
    try:
        return shard if shard.rows.stat().st_size == shard.bytes_ else None
    except OSError as error:
        raise_unless_damaged(error)
        return None


def list_shards(folder: Path) -> Iterator[Path]:
    """The JSON files of a folder's shards, whole or damaged."""
    return folder.glob(f"{_PREFIX}*.json")


def drop(about: Path) -> None:
    """Delete the shard that this JSON tells of; the JSON first: rows alone are not believed."""
    about.unlink(missing_ok=True)
    about.with_suffix(".rows").unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove what killed writers left. Only for who holds the entry's writing lock."""
    for file in folder.glob(f"{_PREFIX}*"):
        if file.suffix != ".json" and not file.with_suffix(".json").exists():
            file.unlink(missing_ok=True)


def _checksum(file: Path) -> int:
    crc32, piece = 0, memoryview(bytearray(_PIECE))
    opened = os.open(file, os.O_RDONLY)
    try:
        while count := os.readv(opened, [piece]):
            crc32 = zlib.crc32(piece[:count], crc32)
    finally:
        os.close(opened)
    return crc32
