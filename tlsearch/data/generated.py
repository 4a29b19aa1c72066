"""`generated:flowers`: photos that tlsearch draws itself, so that a sweep needs no download.

They are written once as JPEG files, a folder per class, and then read as any folder is. How a
flower is drawn is in flowers.py.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tlsearch.config.schema import Generated
from tlsearch.data.flowers import KINDS, VERSION, draw
from tlsearch.data.folders import FolderSource
from tlsearch.data.source import Listing, Source
from tlsearch.data.writing import make_whole
from tlsearch.paths import Paths
from tlsearch.progress import track

_QUALITY = 92


@dataclass(frozen=True)
class GeneratedSource(Source):
    """Drawn flowers of five kinds, the same for the same options on every machine."""

    options: Generated
    paths: Paths

    @property
    def description(self) -> str:
        return "generated:flowers"

    def listing(self) -> Listing:
        folder = self.paths.store / "generated" / _key(self.options)
        make_whole(folder, partial(_draw_all, self.options))
        return FolderSource(folder, called=self.description).listing()


def _key(options: Generated) -> str:
    text = f"flowers {VERSION} {options.model_dump_json()}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _draw_all(options: Generated, folder: Path) -> None:
    for kind in KINDS:
        (folder / kind).mkdir()
    photos = [(kind, number) for kind in KINDS for number in range(options.photos_per_class)]
    for kind, number in track(photos, "drawing flowers"):
        photo = draw(kind, options.size, (options.seed, number))
        photo.save(folder / kind / f"{number:05d}.jpg", quality=_QUALITY)
