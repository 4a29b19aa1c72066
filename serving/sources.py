"""Where a server's model comes from: a bundle's folder, or MLflow's registry.

What reaches the registry is imported only where it is asked for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from serving.model import ServedModel
from serving.options import ServeOptions
from tlsearch.export.manifest import Manifest

if TYPE_CHECKING:
    from serving.models import Models

Openers = Mapping[str, Callable[[], ServedModel]]
REGISTRY = "models:/"
_ONLY_VERSION = "1"


class Source(ABC):
    """Something that models are loaded from."""

    @property
    @abstractmethod
    def openers(self) -> Openers:
        """What loads the model of each name; blocks for seconds."""

    @abstractmethod
    async def follow(self, models: Models) -> None:
        """Put new versions to work until cancelled."""

    def doubt(self, name: str) -> str | None:
        """Why a model may not be the one that is wanted by now; None: it is."""
        return None


class FolderSource(Source):
    """A bundle in a folder; another one there comes to work when the model is loaded again."""

    def __init__(self, options: ServeOptions) -> None:
        """Find the model's name; checksums come when it is loaded.

        Raises:
            BundleError: the folder holds no bundle.
        """
        self._folder = Path(options.source)
        self._options = options.model
        self._name = options.name or Manifest.read(self._folder).name

    @property
    def openers(self) -> Openers:
        """What loads the model."""
        return {self._name: self._open}

    async def follow(self, models: Models) -> None:
        """Nothing moves here."""

    def _open(self) -> ServedModel:
        return ServedModel.load(self._name, _ONLY_VERSION, self._folder, self._options)


class RegistrySource(Source):
    """A model of MLflow's registry, whose alias is followed."""

    def __init__(self, options: ServeOptions) -> None:
        """Nothing is asked yet.

        Raises:
            UsageError: the source names no alias and no version.
            SetupError: there is no usable address of an MLflow server.
        """
        from serving.follow import Follower, Wanted
        from serving.registry import ModelUri

        uri = ModelUri.parse(options.source)
        wanted = Wanted(uri, options.name, options.model, options.cache, options.poll)
        self._follower = Follower(wanted, options.uri)

    @property
    def openers(self) -> Openers:
        """What loads the version that the alias means."""
        return self._follower.openers

    async def follow(self, models: Models) -> None:
        """Go where the alias goes."""
        await self._follower.follow(models)

    def doubt(self, name: str) -> str | None:
        """While it is not known what the alias means."""
        return self._follower.doubt


def open_source(options: ServeOptions) -> Source:
    """The source that `options.source` names."""
    is_registered = options.source.startswith(REGISTRY)
    return RegistrySource(options) if is_registered else FolderSource(options)
