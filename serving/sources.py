"""Where a server's model comes from: a folder, or MLflow's registry.

What reaches the registry is imported only where it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from serving.model import ServedModel
from serving.options import ServeOptions
from tlsearch.export.manifest import Manifest

if TYPE_CHECKING:
    from serving.models import Models, Opener

REGISTRY = "models:/"


class FolderSource:
    """A bundle in a folder. It is followed by nobody: to serve another one, load it again."""

    def __init__(self, options: ServeOptions) -> None:
        """Look at nothing but the name; checksums come when it is loaded.

        Raises:
            BundleError: the folder is no bundle.
        """
        self._options = options
        self._folder = Path(options.source)
        self._name = options.name or Manifest.read(self._folder).name

    @property
    def openers(self) -> Mapping[str, Opener]:
        """What loads the model."""
        return {self._name: self._open}

    async def follow(self, models: Models) -> None:
        """Nothing moves in a folder."""

    def _open(self) -> ServedModel:
        return ServedModel.load(self._name, "1", self._folder, self._options.model)


def open_source(options: ServeOptions) -> FolderSource:
    """The source that `options.source` names."""
    return FolderSource(options)
