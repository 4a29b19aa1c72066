"""Decoded photos on disk: written once, mapped into memory by everything that trains.

`pixels.bin` holds the photos one after the other, `index.bin` the SHA-256 of each photo's file
in the same order, `unreadable.jsonl` those that could not be decoded, with the reason. All three
only grow. A photo counts once its digest is whole in the index, which is written after its
pixels have reached the disk: what a killed process leaves beyond that is cut off by the next
one that writes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from itertools import chain, islice, pairwise
from pathlib import Path

import numpy as np

from tlsearch.cores import usable_cores
from tlsearch.data.photo import UnreadablePhoto, read_photo
from tlsearch.data.writing import explain_failure
from tlsearch.progress import bar

_DIGEST_BYTES = 32
_CHUNK_BYTES = 32 * 2**20
_CHUNK_PHOTOS = 512
Decoded = np.ndarray | str
"""The pixels of a photo, or why there are none."""


class PixelStore:
    """The photos of one size. Several processes may read and add at the same time.

    Args:
        folder: of this store alone; it is made when photos are added.
        size: pixels a side.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        self.size = size
        self._rows: dict[bytes, int] = {}
        self._count = 0
        self._pixels = np.zeros((0, size, size, 3), np.uint8)

    def add(self, photos: Mapping[str, Path]) -> dict[str, str]:
        """Decode the photos that are not stored yet, on all cores.

        Memory stays below about 100 MB beyond what the largest photos take while they are
        decoded. A photo that is unreadable is remembered and not tried again; one whose file
        could not be read, or changed meanwhile, is tried again the next time.

        Args:
            photos: files by the SHA-256 of their content, in hex.

        Returns:
            Why the photos that cannot be used cannot, by digest.

        Raises:
            HomeError: the disk is full, or may not be written to.
        """
        unreadable = self._recall(photos)
        if self._missing(photos, unreadable):
            unreadable |= self._add_missing(photos)
        return unreadable

    def rows(self, digests: Sequence[str]) -> np.ndarray:
        """Where these photos lie in `pixels`: int64 of shape [len(digests)].

        Raises:
            KeyError: a photo was not added.
        """
        keys = [bytes.fromhex(digest) for digest in digests]
        if any(key not in self._rows for key in keys):
            self._reload()
        return np.fromiter((self._rows[key] for key in keys), np.int64, len(keys))

    @property
    def pixels(self) -> np.ndarray:
        """All photos, read-only and mapped from disk: uint8 of shape [rows, size, size, 3]."""
        self._reload()
        if len(self._pixels) < self._count:
            shape = (self._count, self.size, self.size, 3)
            self._pixels = np.memmap(self._pixel_file, np.uint8, "r", shape=shape)
        return self._pixels

    @property
    def _row_bytes(self) -> int:
        return self.size * self.size * 3

    @property
    def _pixel_file(self) -> Path:
        return self.folder / "pixels.bin"

    @property
    def _index_file(self) -> Path:
        return self.folder / "index.bin"

    @property
    def _unreadable_file(self) -> Path:
        return self.folder / "unreadable.jsonl"

    def _missing(self, photos: Mapping[str, Path], unreadable: Mapping[str, str]) -> list[str]:
        self._reload()
        return [
            digest
            for digest in photos
            if digest not in unreadable and bytes.fromhex(digest) not in self._rows
        ]

    def _lock(self) -> AbstractContextManager:
        from filelock import FileLock

        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / ".lock")

    def _add_missing(self, photos: Mapping[str, Path]) -> dict[str, str]:
        with explain_failure(self.folder), self._lock():
            self._cut_torn_tails()
            # Another process may have added some of them while this one waited.
            unreadable = self._recall(photos)
            missing = self._missing(photos, unreadable)
            failed = self._decode({digest: photos[digest] for digest in missing})
        self._reload()
        return unreadable | failed

    def _decode(self, photos: Mapping[str, Path]) -> dict[str, str]:
        """Decode and write chunk by chunk; while one is written the next is being decoded."""
        failed: dict[str, str] = {}
        length = max(1, min(_CHUNK_PHOTOS, _CHUNK_BYTES // self._row_bytes))
        with (
            bar(f"reading photos at {self.size} px", len(photos)) as advance,
            ThreadPoolExecutor(usable_cores()) as threads,
        ):
            chunks = (self._start(threads, chunk) for chunk in _chunks(photos, length))
            for pending, _ in pairwise(chain(chunks, [None])):
                decoded = {}
                for digest, future in (pending or {}).items():
                    decoded[digest] = future.result()
                    advance(1)
                failed |= self._write(decoded)
        return failed

    def _start(
        self, threads: ThreadPoolExecutor, photos: Mapping[str, Path]
    ) -> dict[str, Future[Decoded | UnreadablePhoto]]:
        return {
            digest: threads.submit(decode_checked, file, digest, self.size)
            for digest, file in photos.items()
        }

    def _write(self, decoded: Mapping[str, Decoded | UnreadablePhoto]) -> dict[str, str]:
        """Append a chunk: first its pixels, then, when these are on the disk, its digests."""
        photos = {digest: it for digest, it in decoded.items() if isinstance(it, np.ndarray)}
        lasting = {
            digest: it.reason for digest, it in decoded.items() if isinstance(it, UnreadablePhoto)
        }
        _append(self._pixel_file, (photo.tobytes() for photo in photos.values()))
        _append(self._index_file, (bytes.fromhex(digest) for digest in photos))
        if lasting:
            _append(self._unreadable_file, (_line(*item) for item in lasting.items()))
        return lasting | {digest: it for digest, it in decoded.items() if isinstance(it, str)}

    def _recall(self, photos: Mapping[str, Path]) -> dict[str, str]:
        """The reasons that are remembered for some of these photos."""
        known = dict(_entry(line) for line in _whole_lines(self._unreadable_file))
        return {digest: known[digest] for digest in photos if digest in known}

    def _reload(self) -> None:
        """Read the digests that were added since the last look."""
        known, self._count = self._count, max(self._count, self._count_on_disk())
        if self._count == known:
            return
        with self._index_file.open("rb") as file:
            file.seek(known * _DIGEST_BYTES)
            for row in range(known, self._count):
                self._rows[file.read(_DIGEST_BYTES)] = row

    def _count_on_disk(self) -> int:
        """How many photos have both their digest and their pixels."""
        digests = _size_of(self._index_file) // _DIGEST_BYTES
        return min(digests, _size_of(self._pixel_file) // self._row_bytes)

    def _cut_torn_tails(self) -> None:
        count = self._count_on_disk()
        _cut(self._index_file, count * _DIGEST_BYTES)
        _cut(self._pixel_file, count * self._row_bytes)
        _cut(self._unreadable_file, sum(len(line) for line in _whole_lines(self._unreadable_file)))


def decode_checked(file: Path, digest: str, size: int) -> Decoded | UnreadablePhoto:
    """The pixels; an UnreadablePhoto if these bytes never will be a photo; a str if they may."""
    try:
        data = file.read_bytes()
        if hashlib.sha256(data).hexdigest() != digest:
            return "the file changed while it was being read"
        return read_photo(data, size)
    except UnreadablePhoto as error:
        return error
    except OSError as error:
        return error.strerror or str(error)
    except MemoryError:
        return "not enough memory to decode it"


def _chunks(photos: Mapping[str, Path], length: int) -> Iterator[dict[str, Path]]:
    items = iter(photos.items())
    while chunk := dict(islice(items, length)):
        yield chunk


def _append(file: Path, parts: Iterable[bytes]) -> None:
    with file.open("ab") as opened:
        opened.writelines(parts)
        opened.flush()
        os.fsync(opened.fileno())


def _line(digest: str, reason: str) -> bytes:
    return json.dumps({"digest": digest, "reason": reason}).encode() + b"\n"


def _entry(line: bytes) -> tuple[str, str]:
    """The digest and the reason; empty for a line that a crash of the machine left as zeros."""
    try:
        entry = json.loads(line)
        return entry["digest"], entry["reason"]
    except (ValueError, TypeError, KeyError):
        return "", ""


def _whole_lines(file: Path) -> list[bytes]:
    lines = file.read_bytes().splitlines(keepends=True) if file.is_file() else []
    return lines[:-1] if lines and not lines[-1].endswith(b"\n") else lines


def _size_of(file: Path) -> int:
    return file.stat().st_size if file.is_file() else 0


def _cut(file: Path, size: int) -> None:
    if _size_of(file) > size:
        os.truncate(file, size)
