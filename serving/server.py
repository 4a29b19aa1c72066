"""From options to a running server, and to its end: listening, loading, signals, exit codes."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp

from serving.http.app import make_app
from serving.http.classify import Classifier
from serving.http.direct import Direct
from serving.http.front import PROBES, Front, Guard
from serving.http.infer import Inference
from serving.http.photos import Photos
from serving.http.protocol import InferProtocol
from serving.models import Models
from serving.options import ServeOptions
from serving.sources import open_source
from serving.watchdog import Watchdog
from tlsearch.errors import SetupError

_OTHER_FILES = 256
_LAST_SECONDS = 0.5
"""Of the grace period, for the models to end and for the process to leave."""
_LEAVING_SECONDS = 0.1
log = logging.getLogger(__name__)


def run(options: ServeOptions) -> None:
    """Serve until SIGTERM or SIGINT; every accepted request is answered before it returns.

    Prints one line on stdout when it listens, and one when the model is verified.

    Raises:
        SetupError: the address is taken, the provider is not there.
        BundleError: the bundle is damaged, or answers otherwise than it should.

    If a run of the model hangs, the process ends after the grace period, with exit code 1.
    """
    _allow_files(options.limits.connections + options.limits.reserve + _OTHER_FILES)
    with listen(options) as listener:
        server = Server(options, listener)
        server.run()
    if server.failure is not None:
        raise server.failure


class Server(uvicorn.Server):
    """Uvicorn's server around the models of one source."""

    def __init__(self, options: ServeOptions, listener: socket.socket) -> None:
        """Nothing is loaded and nobody is accepted before `run`."""
        self.options = options
        self.listener = listener
        self.failure: Exception | None = None
        self._end = math.inf
        self._watchdog = Watchdog(options.grace, self._find_unanswered)
        self._source = open_source(options)
        self.models = Models(self._source.openers, doubt=self._source.doubt)
        self._photos = Photos(options.photos)
        classifier = Classifier(self.models, self._photos, options.deadline)
        self.front = _make_front(options, self.models, classifier)
        app = make_app(self.models, self.front.guard, classifier, options)
        super().__init__(_configure(options, app, self.front))

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal comes or the models cannot be loaded."""
        try:
            super().run([self.listener])
        finally:
            self._watchdog.stop()

    async def _serve(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._watchdog.watch()
        loading = asyncio.create_task(self._load())
        following = asyncio.create_task(self._source.follow(self.models))
        await super()._serve(sockets)
        following.cancel()
        self._photos.close()
        if not loading.done():
            # The thread that loads cannot be stopped, and Python would wait for its end.
            os._exit(0)
        end = min(self._end, self._loop.time() + self.options.grace)
        try:
            async with asyncio.timeout_at(end - _LEAVING_SECONDS):
                await self.models.drain()
        except TimeoutError:
            self._watchdog.end()

    def _find_unanswered(self) -> str:
        photos = sum(model.batcher.waiting for model in self.models.at_work())
        if not photos:
            return "all photos are answered, but something else has not ended"
        return (
            f"{photos} accepted photos are not answered: a run of the model hangs, or is too long"
        )

    async def _load(self) -> None:
        _say(f"listening on {_address(self.listener)}")
        try:
            for name in self.models.names:
                await self.models.load(name)
        except Exception as error:  # whatever it is, `run` raises it when the server has ended
            self.failure = error
            self.should_exit = True
            return
        for model in self.models.at_work():
            kind = f"{model.precision} on {model.provider}, {model.curve.best()} photos a run"
            _say(f"ready: {model.name} {model.version}, {kind}")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Be no longer ready; stop after the lame duck's time, or at once if told so twice.

        Uvicorn's own would note the signal to raise it again at the end, which is no exit 0.
        """
        self.models.retire()
        is_repeated = self._end < math.inf
        self._end = min(self._end, self._loop.time() + self.options.grace)
        if is_repeated or not self.options.lame_duck:
            self.force_exit = self.should_exit and sig == signal.SIGINT
            self.should_exit = True
            return
        delay: Callable[..., Any] = self._loop.call_later
        self._loop.call_soon_threadsafe(delay, self.options.lame_duck, self._stop)

    def _stop(self) -> None:
        self.should_exit = True


def _allow_files(count: int) -> None:
    """Each connection is an open file, and the usual limit is 1,024 of them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _make_front(options: ServeOptions, models: Models, classifier: Classifier) -> Front:
    open_paths = (*PROBES, "/", *(["/metrics"] if options.open_metrics else []))
    limits = options.limits
    inference = Inference(models, options.deadline, limits.body_bytes, limits.json_bytes)
    guard = Guard(options.token, open_paths)
    desk = Direct(inference, classifier)
    ending = max(0.0, _closing_seconds(options) - 2 * limits.linger_seconds)
    return Front(limits, guard, desk, ending)


def _closing_seconds(options: ServeOptions) -> float:
    """From the lame duck's end until connections are closed whatever they still do."""
    return max(options.grace - options.lame_duck - _LAST_SECONDS, _LAST_SECONDS)


def _configure(options: ServeOptions, app: ASGIApp, front: Front) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=cast(Any, partial(InferProtocol, front)),
        loop="uvloop",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=cast(Any, _closing_seconds(options)),
    )


def listen(options: ServeOptions) -> socket.socket:
    """A socket that listens where the options say.

    Raises:
        SetupError: the address is taken, or is none of this machine.
    """
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    try:
        listener = socket.create_server(
            (options.host, options.port), family=family, backlog=2048, reuse_port=False
        )
    except (OSError, OverflowError) as error:
        raise SetupError(
            f"the address {options.host}:{options.port} cannot be listened on",
            received=str(error),
            expected="a free port of an address of this machine",
            hint=f"choose another one: --port {options.port + 1}, or --port 0 for any",
        ) from error
    listener.setblocking(False)
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _say(line: str) -> None:
    print(line, file=sys.stdout, flush=True)
