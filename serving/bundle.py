"""A bundle on disk: nothing of it is believed before its checksums are right."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tlsearch.data.photo import RESIZE_RULE
from tlsearch.errors import BundleError
from tlsearch.export.checksums import EXPORT_AGAIN, verify_checksums
from tlsearch.export.golden import Golden, read_golden
from tlsearch.export.manifest import Manifest


@dataclass(frozen=True)
class Bundle:
    """An unchanged bundle that this version of tlsearch can serve."""

    folder: Path
    manifest: Manifest

    @classmethod
    def open(cls, folder: str | Path) -> Bundle:
        """Check and read a bundle.

        Raises:
            BundleError: no bundle, files that lack, are too many or have changed, or photos that
                have to be resized in a way that this version does not know.
        """
        folder = Path(folder)
        verify_checksums(folder)
        bundle = cls(folder, Manifest.read(folder))
        bundle._check_files()
        bundle._check_resize()
        return bundle

    @property
    def labels(self) -> list[str]:
        """The class of each column of the probabilities."""
        return self.manifest.labels

    @property
    def image_size(self) -> int:
        """Pixels a side."""
        return self.manifest.image_size

    def model(self, precision: str = "fp32") -> Path:
        """The ONNX file of that precision.

        Raises:
            BundleError: the bundle has none.
        """
        return self.folder / self.manifest.variant(precision).file

    def golden(self) -> Golden:
        """Photos, and the probabilities that the model has to give for them.

        Raises:
            BundleError: there are none.
        """
        return read_golden(self.folder)

    def _check_files(self) -> None:
        for variant in self.manifest.variants:
            if not (self.folder / variant.file).is_file():
                raise BundleError(
                    f"the bundle {self.folder} lacks its {variant.precision} model",
                    received=f"no file {variant.file}",
                    expected="every file that bundle.json lists under variants",
                    hint=EXPORT_AGAIN,
                )

    def _check_resize(self) -> None:
        if self.manifest.resize != RESIZE_RULE:
            raise BundleError(
                "the bundle's photos are resized in another way than this tlsearch does",
                received=str(self.manifest.resize),
                expected=str(RESIZE_RULE),
                hint="serve it with the tlsearch version that bundle.json names under versions",
            )
