"""Photos whose classes nobody knows or needs: everything below a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tlsearch.data.folders import EXTENSIONS, photos_below, split_folders
from tlsearch.data.source import Listing, Photo, Source
from tlsearch.errors import DataError

NO_CLASS = "unlabelled"


@dataclass(frozen=True)
class UnlabelledSource(Source):
    """A folder of photos at any depth; train/, validation/ and test/ in it keep their meaning."""

    folder: Path

    @property
    def description(self) -> str:
        return str(self.folder)

    def listing(self) -> Listing:
        photos, ignored = [], 0
        for split, parents in split_folders(self.folder).items():
            for parent in parents:
                found, other = photos_below(parent)
                photos += [Photo(path, NO_CLASS, split) for path in found]
                ignored += other
        if not photos:
            raise DataError(
                "there are no photos in the folder",
                received=self.description,
                expected=f"files that end in {', '.join(sorted(EXTENSIONS))}",
                hint="give the folder that holds the photos",
            )
        return Listing(sorted(photos, key=lambda p: p.path.relative_to(self.folder).parts), ignored)
