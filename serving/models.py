"""The models of a server: names to their versions at work.

All methods belong to the event loop's thread; a model is loaded in another one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from serving.model import ServedModel
from serving.problems import not_found, unavailable
from tlsearch.errors import TlsearchError

Opener = Callable[[], ServedModel]
"""Loads a model; blocks for seconds."""

READY, LOADING, UNAVAILABLE = "READY", "LOADING", "UNAVAILABLE"


@dataclass(slots=True)
class _Place:
    opener: Opener
    current: ServedModel | None = None
    previous: ServedModel | None = None
    state: str = UNAVAILABLE
    reason: str = "not loaded yet"
    verified: bool = False


class Models:
    """Names to their current and previous versions.

    The previous version of a model stays at work until the next one but one comes: requests that
    began with it end with it, and `rollback` is one step.
    """

    def __init__(self, openers: Mapping[str, Opener]) -> None:
        """Nothing is loaded yet.

        Args:
            openers: what loads the model of each name.
        """
        self._places = {name: _Place(opener) for name, opener in openers.items()}
        self._lock = asyncio.Lock()
        self._retired = False
        self._drained = False

    @property
    def ready(self) -> bool:
        """Whether every model was verified, and the server is not about to stop."""
        return not self._retired and all(place.verified for place in self._places.values())

    @property
    def names(self) -> list[str]:
        """The names, loaded or not."""
        return list(self._places)

    def get(self, name: str, version: str | None = None) -> ServedModel:
        """The version at work.

        Raises:
            Problem: 404 no such model or version; 503 not loaded, or the server stops.
        """
        place = self._places.get(name)
        if place is None:
            raise not_found(f"no model {name!r} here; there is {', '.join(self._places)}")
        if self._drained or place.current is None:
            raise unavailable(f"the model {name} is not at work: {place.reason}")
        if version is None or version == place.current.version:
            return place.current
        if place.previous is not None and version == place.previous.version:
            return place.previous
        raise not_found(f"no version {version!r} of {name}; it is at {place.current.version}")

    def at_work(self) -> list[ServedModel]:
        """Every version that answers: current ones and previous ones."""
        places = self._places.values()
        found = [model for place in places for model in (place.current, place.previous)]
        return [model for model in found if model is not None]

    def index(self) -> list[dict[str, str]]:
        """Name, version, state and reason of each, as the repository index lists them."""
        rows = []
        for name, place in self._places.items():
            version = place.current.version if place.current else ""
            row = {"name": name, "version": version, "state": place.state, "reason": place.reason}
            rows.append(row)
        return rows

    async def load(self, name: str) -> None:
        """Load the model again from where it comes from, and put it to work.

        Raises:
            Problem: 404 no such model.
            TlsearchError: it cannot be loaded; what was at work stays so.
        """
        place = self._place(name)
        if place.current is None:
            place.state, place.reason = LOADING, "loading"
        try:
            model = await asyncio.to_thread(place.opener)
        except TlsearchError as error:
            if place.current is None:
                place.state, place.reason = UNAVAILABLE, error.what
            raise
        await self.swap(model)

    async def swap(self, model: ServedModel) -> None:
        """Put a version to work in place of the current one, between two requests."""
        place = self._place(model.name)
        dropped, place.previous, place.current = place.previous, place.current, model
        place.state, place.reason, place.verified = READY, "", True
        if dropped is not None:
            await dropped.drain()

    async def rollback(self, name: str) -> ServedModel:
        """Put the previous version to work again; the current one becomes the previous.

        Raises:
            Problem: 404 no such model, or no previous version.
        """
        place = self._place(name)
        if place.previous is None or place.current is None:
            raise not_found(f"no previous version of {name}")
        place.current, place.previous = place.previous, place.current
        return place.current

    async def unload(self, name: str) -> None:
        """Take a model from work, after its accepted requests are answered.

        Raises:
            Problem: 404 no such model.
        """
        place = self._place(name)
        dropped = [model for model in (place.current, place.previous) if model is not None]
        place.current = place.previous = None
        place.state, place.reason = UNAVAILABLE, "unloaded"
        for model in dropped:
            await model.drain()

    def retire(self) -> None:
        """Be no longer `ready`, though requests are still answered: the server will stop."""
        self._retired = True

    async def drain(self) -> None:
        """Answer all accepted requests and stop."""
        self.retire()
        self._drained = True
        for model in self.at_work():
            await model.drain()

    def _place(self, name: str) -> _Place:
        if name not in self._places:
            raise not_found(f"no model {name!r} here; there is {', '.join(self._places)}")
        return self._places[name]
