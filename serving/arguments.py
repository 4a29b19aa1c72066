"""What the command can be told, as a table: names, defaults, limits, help; and what it means."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from serving.http.front import Limits
from serving.logs import LogLevel
from serving.model import DEFAULT_OPTIONS, ModelOptions
from serving.options import PhotoOptions, ServeOptions
from tlsearch.data.photo import FORMATS

MEGABYTE = 1024 * 1024
PROVIDERS = {
    "cpu": ("CPUExecutionProvider",),
    "cuda": ("CUDAExecutionProvider",),
    "tensorrt": ("TensorrtExecutionProvider", "CUDAExecutionProvider"),
}
_OTHER_NAMES = {"JPG": "JPEG"}
_ENDING_SECONDS = 2.0
"""Of the grace period, behind the lame duck: to answer what was accepted, and to end."""
_WORKERS = "Threads that run it; 0: the network's own. Default: a core each."
_DUCK = "Seconds of these in which new connections are taken."

_TAKEN_OVER = (
    "source",
    "name",
    "host",
    "port",
    "token",
    "open_metrics",
    "control",
    "deadline",
    "grace",
    "lame_duck",
    "poll",
    "cache",
)
"""The server's options that are as they are told."""


@dataclass(frozen=True)
class Arguments:
    """The arguments and options of the command, each a field, in the order of its help."""

    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A bundle's folder, or models:/NAME@ALIAS.")
    ]
    name: Annotated[str | None, typer.Option(help="The model's name in addresses.")] = None
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1"
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8000
    provider: Annotated[
        str, typer.Option(metavar="cpu|cuda|tensorrt", help="What the model runs on.")
    ] = "cpu"
    precision: Annotated[
        str, typer.Option(metavar="fp32|fp16|int8|fastest", help="Which of the bundle's models.")
    ] = "fp32"
    workers: Annotated[int | None, typer.Option(min=0, help=_WORKERS)] = None
    queue: Annotated[int, typer.Option(min=1, help="Photos that may wait.")] = DEFAULT_OPTIONS.queue
    deadline: Annotated[
        float, typer.Option(min=0.001, help="Seconds that a request has at most.")
    ] = 10.0
    token: Annotated[
        str | None,
        typer.Option(
            envvar="TLSEARCH_TOKEN", help="Requests have to bring it; better as a variable."
        ),
    ] = None
    open_metrics: Annotated[
        bool, typer.Option("--open-metrics", help="/metrics needs no token.")
    ] = False
    control: Annotated[
        bool, typer.Option(help="Clients may load, unload and roll back models.")
    ] = True
    formats: Annotated[str, typer.Option(help="Of photos, with commas.")] = "jpeg,png,webp"
    megapixels: Annotated[float, typer.Option(min=0.001, help="Of a photo.")] = 50.0
    body: Annotated[float, typer.Option(min=0.001, help="Megabytes of a request.")] = 32.0
    connections: Annotated[
        int, typer.Option(min=1, help="At once; then the longest idle one gives way.")
    ] = 1000
    receive: Annotated[
        float, typer.Option(min=0.1, help="Seconds in which a request has to arrive.")
    ] = 30.0
    grace: Annotated[float, typer.Option(min=1, help="Seconds from SIGTERM to the end.")] = 20.0
    lame_duck: Annotated[float, typer.Option(min=0, help=_DUCK)] = 0.0
    poll: Annotated[
        float, typer.Option(min=0.1, help="Seconds between two looks at the alias.")
    ] = 30.0
    cache: Annotated[Path | None, typer.Option(help="Where bundles of a registry are kept.")] = None
    log_level: Annotated[LogLevel, typer.Option(help="What is told on stderr.")] = LogLevel.INFO

    def options(self) -> ServeOptions:
        """What the server is told.

        Raises:
            typer.BadParameter: an unknown provider or format, an empty token, a lame duck that the
                grace period has no time for.
        """
        self._check()
        return ServeOptions(
            **{name: getattr(self, name) for name in _TAKEN_OVER},
            model=self._model(),
            limits=self._limits(),
            photos=self._photos(),
        )

    def _check(self) -> None:
        if self.provider not in PROVIDERS:
            raise typer.BadParameter(f"{self.provider!r} is none of {', '.join(PROVIDERS)}")
        if self.token == "":
            raise typer.BadParameter("an empty token would let everybody in", param_hint="--token")
        least = self.lame_duck + _ENDING_SECONDS
        if self.lame_duck and self.grace < least:
            raise typer.BadParameter(
                f"{self.lame_duck:g} s leave no time for an end: --grace is {self.grace:g} s, and "
                f"has to be at least {least:g} s",
                param_hint="--lame-duck",
            )

    def _model(self) -> ModelOptions:
        return ModelOptions(PROVIDERS[self.provider], self.precision, self.workers, self.queue)

    def _limits(self) -> Limits:
        return Limits(
            body_bytes=int(self.body * MEGABYTE),
            connections=self.connections,
            receive_seconds=self.receive,
        )

    def _photos(self) -> PhotoOptions:
        formats = tuple(_format(word.strip()) for word in self.formats.split(","))
        return PhotoOptions(formats, int(self.megapixels * 1e6))


def _format(word: str) -> str:
    """What Pillow calls a format; a name that it does not know would make it refuse all of them."""
    name = _OTHER_NAMES.get(word.upper(), word.upper())
    if name not in FORMATS:
        known = ", ".join(FORMATS).lower()
        raise typer.BadParameter(f"{word!r} is none of {known}", param_hint="--formats")
    return name
