"""The models of a server: names to their versions at work.

All methods belong to the event loop's thread; a model is loaded in another one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from serving.model import ServedModel
from serving.problems import not_found, unavailable

Opener = Callable[[], ServedModel]
"""Loads a model; blocks for seconds."""

Doubt = Callable[[str], str | None]
"""Why the model of a name may not be the one that is wanted by now; None: it is."""

READY, LOADING, UNAVAILABLE = "READY", "LOADING", "UNAVAILABLE"
PATIENCE_SECONDS = 60.0
log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Place:
    opener: Opener
    current: ServedModel | None = None
    previous: ServedModel | None = None
    state: str = UNAVAILABLE
    reason: str = "not loaded yet"
    verified: bool = False
    loading: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def at_work(self) -> list[ServedModel]:
        return [model for model in (self.current, self.previous) if model is not None]

    def put(self, model: ServedModel) -> ServedModel | None:
        """Make it the current one; what loses its place by that.

        A version that is loaded once more takes its own place, so that there is still another one
        to roll back to.
        """
        dropped = self.previous
        if self.current is not None and _is_same(self.current, model):
            dropped = self.current
        else:
            self.previous = self.current
        self.current = model
        self.state, self.reason, self.verified = READY, "", True
        return dropped

    def row(self, version: str, reason: str = "") -> dict[str, str]:
        return {"version": version, "state": self.state, "reason": reason}


class Models:
    """Names to their current and previous versions.

    The previous version of a model stays at work until the next one but one comes: requests that
    began with it end with it, and `rollback` is one step.
    """

    def __init__(
        self,
        openers: Mapping[str, Opener],
        patience: float = PATIENCE_SECONDS,
        doubt: Doubt = lambda name: None,
    ) -> None:
        """Nothing is loaded yet.

        Args:
            openers: what loads the model of each name.
            patience: seconds that a version taken from work may take for what it had accepted;
                one that takes longer is left to itself.
            doubt: asked about the models at work, by whoever shows them.
        """
        self._patience = patience
        self.doubt = doubt
        self._places = {name: _Place(opener) for name, opener in openers.items()}
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
        place = self._place(name)
        current = place.current
        if current is None or self._drained:
            raise unavailable(f"the model {name} is not at work: {place.reason or 'it stops'}")
        if version is None or version == current.version:
            return current
        if place.previous is not None and version == place.previous.version:
            return place.previous
        known = ", ".join(model.version for model in place.at_work)
        raise not_found(f"no version {version!r} of {name} is at work; there is {known}")

    def at_work(self) -> list[ServedModel]:
        """Every version that answers: of each model the current one and the previous one."""
        return [model for place in self._places.values() for model in place.at_work]

    def index(self) -> list[dict[str, str]]:
        """Name, version, state and reason of each, as the repository index lists them."""
        return [
            {"name": name, **row}
            for name, place in self._places.items()
            for row in _rows(place, self.doubt(name))
        ]

    async def load(self, name: str) -> None:
        """Load the model again from where it comes from, and put it to work.

        Raises:
            Problem: 404 no such model; 503 the server stops.
            TlsearchError: it cannot be loaded; what was at work stays so.
        """
        place = self._place(name)
        async with place.loading:
            if place.current is None:
                place.state, place.reason = LOADING, "it is being loaded"
            try:
                model = await asyncio.to_thread(place.opener)
            except BaseException as error:
                place.reason = f"it could not be loaded: {first_line(error)}"
                if place.current is None:
                    place.state = UNAVAILABLE
                raise
        await self.swap(model)

    async def swap(self, model: ServedModel) -> None:
        """Put a version to work in place of the current one, between two requests.

        Returns once the one that loses its place has answered what it had accepted, or has taken
        longer than the patience: the version that is two behind, or the same one, loaded before.

        Raises:
            Problem: 404 no such model; 503 the server stops.
        """
        place = self._place(model.name)
        if self._drained:
            raise unavailable("the server stops")
        dropped = place.put(model)
        log.info("%s: version %s is now served: %s", model.name, model.version, describe(model))
        if dropped is not None:
            await self._let_go(dropped, model if _is_same(dropped, model) else None)

    async def rollback(self, name: str) -> ServedModel:
        """Put the previous version to work again; the current one becomes the previous.

        Raises:
            Problem: 404 no such model, or no previous version of it.
        """
        place = self._place(name)
        if place.previous is None or place.current is None:
            raise not_found(f"{name} has no previous version to go back to")
        place.current, place.previous = place.previous, place.current
        log.info("%s: rolled back to version %s", name, place.current.version)
        return place.current

    async def unload(self, name: str) -> None:
        """Take a model from work; returns when its accepted requests are answered, as `swap`.

        Raises:
            Problem: 404 no such model.
        """
        place = self._place(name)
        dropped = place.at_work
        place.current = place.previous = None
        place.state, place.reason = UNAVAILABLE, "unloaded"
        for model in dropped:
            await self._let_go(model)

    def retire(self) -> None:
        """Be no longer `ready`, though requests are still answered: the server will stop."""
        self._retired = True

    async def drain(self) -> None:
        """Accept nothing more; returns when every accepted request is answered, however long."""
        self.retire()
        self._drained = True
        for model in self.at_work():
            await model.drain()

    async def _let_go(self, model: ServedModel, successor: ServedModel | None = None) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await model.drain(successor)
        except TimeoutError:
            waiting = model.batcher.waiting
            log.error("%s %s hangs with %d photos, and is left", model.name, model.version, waiting)

    def _place(self, name: str) -> _Place:
        place = self._places.get(name)
        if place is None:
            raise not_found(f"no model {name!r} here; there is {', '.join(self._places)}")
        return place


def _is_same(one: ServedModel, other: ServedModel) -> bool:
    """Whether two loads gave the same; in a folder every bundle is version 1."""
    return one.version == other.version and one.bundle.manifest == other.bundle.manifest


def _rows(place: _Place, doubt: str | None) -> list[dict[str, str]]:
    rows = [place.row(model.version, place.reason or doubt or "") for model in place.at_work]
    return rows or [place.row("", place.reason)]


def describe(model: ServedModel) -> str:
    """How it runs here, in a line."""
    best = model.curve.best()
    rates = ", ".join(f"{size}: {model.curve.rate(size):.0f}" for size in model.curve.seconds)
    return (
        f"{model.precision} on {model.provider}, verified, {best} photos a run, "
        f"{model.batcher.plan.workers} workers (photos/s of a worker by photos a run: {rates})"
    )


def first_line(error: BaseException) -> str:
    """What an error says, in a line."""
    return (str(error).splitlines() or [type(error).__name__])[0]
