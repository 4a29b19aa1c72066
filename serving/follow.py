"""A model that comes from MLflow's registry, and goes where its alias goes.

While the server serves, the alias is looked at now and then; a version that it has moved to is
fetched, verified and warmed beside the one at work, and takes its place between two requests.
Nothing that goes wrong here stops the server: the version at work stays at work.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from serving.kept import Kept, default_folder
from serving.mlflow_rest import MLflowServer, Unreachable
from serving.model import DEFAULT_OPTIONS, ModelOptions, ServedModel
from serving.models import Models, first_line
from serving.problems import Problem
from serving.registry import ModelUri, Registry
from tlsearch.errors import BundleError, TlsearchError

T = TypeVar("T")
log = logging.getLogger(__name__)

_JITTER = 0.1
"""Of the seconds between two looks, so that many servers do not ask all at once."""

_DOUBT_SECONDS = 10.0
"""Between two looks, at most, while it is not known what the alias means."""


@dataclass(frozen=True)
class Wanted:
    """What to serve of a registry.

    Attributes:
        uri: an alias is followed, a version stays.
        name: what the model is called here; default: as there.
        options: how to run it.
        folder: where bundles are kept; default: in TLSEARCH_HOME.
        seconds: between two looks at the alias.
    """

    uri: ModelUri
    name: str | None = None
    options: ModelOptions = DEFAULT_OPTIONS
    folder: Path | None = None
    seconds: float = 30.0


class _Refusal(NamedTuple):
    """A version that the alias means and that is not put to work; why, in a line."""

    version: str
    why: str


class Follower:
    """Loads the version that is wanted, and each one that the alias moves to afterwards."""

    def __init__(self, wanted: Wanted, address: str | None = None) -> None:
        """Nothing is asked yet.

        Args:
            wanted: what to serve.
            address: of the MLflow server; default: MLFLOW_TRACKING_URI.

        Raises:
            SetupError: that is no address, or the environment's credentials cannot be used.
        """
        self.name = wanted.name or wanted.uri.name
        self._wanted = wanted
        self._registry = Registry(MLflowServer(address))
        self._settled: str | None = None
        self._known: str | None = None
        self._trouble: str | None = None
        self._refused: _Refusal | None = None

    @property
    def doubt(self) -> str | None:
        """Why another version than that at work is meant, or may be by now; None: it is not."""
        if self._trouble is not None:
            return self._trouble.splitlines()[0]
        if self._refused is not None:
            return f"version {self._refused.version} is not put to work: {self._refused.why}"
        return None

    @property
    def openers(self) -> Mapping[str, Callable[[], ServedModel]]:
        """What loads the model at the start, and again when that is asked for."""
        return {self.name: self.open}

    def open(self) -> ServedModel:
        """Fetch and load the version that is wanted now. Blocks; any thread may call it.

        At the start, a registry that does not answer is done without: then it is the version that
        the alias was last known to mean, if its bundle is kept here.

        Raises:
            BundleError: the version has no bundle, a damaged one, or one that answers otherwise.
            SetupError: no such version, the registry does not answer, the provider is not there.
        """
        try:
            version = self._resolve()
            kept = self._fetch(version)
        except Unreachable as error:
            return self._open_remembered(error)
        model = self._load(version, kept)
        self._settle(version)
        return model

    async def follow(self, models: Models) -> None:
        """Look at the alias now and then, until cancelled; at once over where there is none."""
        while self._wanted.uri.alias is not None:
            seconds = self._wanted.seconds
            if self._trouble is not None:
                seconds = min(seconds, _DOUBT_SECONDS)
            await asyncio.sleep(seconds * random.uniform(1 - _JITTER, 1 + _JITTER))
            await self.look(models)

    async def look(self, models: Models) -> None:
        """Look at the alias once; if it has moved, put its version to work.

        A version that was put to work, or is wrong in itself, is settled: it is not tried again
        before the alias has meant another one. So a version that was rolled back stays away. One
        that this machine could not load, for lack of memory say, is tried again at the next look.
        """
        try:
            version = await _apart(self._resolve)
            if self._refused is not None and self._refused.version != version:
                self._refused = None
            at_work = _version_at_work(models, self.name)
            if at_work == version:
                self._settle(version)
            elif at_work is not None and version != self._settled:
                await self._change(models, version)
            self._tell(None)
        except TlsearchError as error:
            self._tell(str(error))
        except Exception:  # whatever it is, the version at work goes on
            if self._trouble is None:
                log.exception("following %s failed", self.name)
            self._trouble = "following failed; the log says why"

    async def _change(self, models: Models, version: str) -> None:
        log.info("%s: version %s is coming", self.name, version)
        try:
            kept = await _apart(self._fetch, version)
        except BundleError as error:
            self._refuse(version, error)
            return
        try:
            model = await asyncio.to_thread(self._load, version, kept)
        except Exception as error:  # a model of today may break a library in any way
            self._refuse(version, error)
            return
        if _version_at_work(models, self.name) in (None, version):
            # Meanwhile somebody unloaded the model, or loaded this version.
            await model.drain()
            return
        self._settle(version)
        await models.swap(model)

    def _refuse(self, version: str, error: Exception) -> None:
        if isinstance(error, BundleError):
            self._settled = version
        refusal = _Refusal(version, first_line(error))
        if refusal != self._refused:
            log.error("%s: version %s is not put to work: %s", self.name, version, error)
        self._refused = refusal

    def _tell(self, trouble: str | None) -> None:
        """Log what has changed, and not what is as it was at the last look."""
        if trouble is not None and trouble != self._trouble:
            log.warning("%s cannot be followed: %s", self.name, trouble)
        elif trouble is None and self._trouble is not None:
            log.info("%s is followed again", self.name)
        self._trouble = trouble

    def _settle(self, version: str) -> None:
        """This version was verified, and need not be tried; a later start may fall back on it."""
        self._settled, self._refused = version, None
        uri = self._wanted.uri
        if uri.alias is None or version == self._known:
            return
        try:
            self._registry.remember(uri.name, uri.alias, version, self._folder)
            self._known = version
        except OSError as error:
            log.warning("what %s@%s means cannot be noted: %s", uri.name, uri.alias, error)

    def _open_remembered(self, error: Unreachable) -> ServedModel:
        uri = self._wanted.uri
        if self._settled is not None or uri.alias is None:
            raise error
        found = self._registry.recall(uri.name, uri.alias, self._folder)
        if found is None:
            raise error
        meaning, kept = found
        model = self._load(meaning.version, kept)
        self._settled = meaning.version
        then = f"{meaning.known:%Y-%m-%d %H:%M} UTC"
        self._trouble = (
            f"{error.what}; version {meaning.version} is what @{uri.alias} meant on {then}"
        )
        log.warning("%s starts with what is kept here: %s", self.name, self._trouble)
        return model

    @property
    def _folder(self) -> Path:
        return self._wanted.folder or default_folder()

    def _resolve(self) -> str:
        uri = self._wanted.uri
        return uri.version or self._registry.resolve(uri.name, uri.alias or "")

    def _fetch(self, version: str) -> Kept:
        return self._registry.download(self._wanted.uri.name, version, self._folder)

    def _load(self, version: str, kept: Kept) -> ServedModel:
        """The bundle is in use for as long as somebody has the model."""
        try:
            model = ServedModel.load(self.name, version, kept.folder, self._wanted.options)
        except BaseException:
            kept.let_go()
            raise
        weakref.finalize(model, kept.let_go)
        return model


def _version_at_work(models: Models, name: str) -> str | None:
    """None for a model that was unloaded, or was not loaded yet: it is not to come by itself."""
    with suppress(Problem):
        return models.get(name).version
    return None


async def _apart(call: Callable[..., T], *arguments: Any) -> T:
    """Run a call in a thread that nobody waits for when the server ends.

    A thread of the loop's own pool would hold the end up for as long as the network hangs.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def fill(put: Callable[[Any], None], value: Any) -> None:
        if not answer.done():
            put(value)

    def give(put: Callable[[Any], None], value: Any) -> None:
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(fill, put, value)

    def work() -> None:
        try:
            result = call(*arguments)
        except BaseException as error:
            give(answer.set_exception, error)
        else:
            give(answer.set_result, result)

    threading.Thread(target=work, name="registry", daemon=True).start()
    return await answer
