"""Everything that `tlsearch serve` can be told."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from serving.http.front import Limits
from serving.model import ModelOptions


@dataclass(frozen=True)
class PhotoOptions:
    """Which photos are decoded.

    Attributes:
        formats: names of Pillow.
        pixels: width times height, looked at before a photo is decoded.
        decoders: photos that are decoded at once; default: as many as there are cores for us.
        count: photos of one request.
    """

    formats: tuple[str, ...] = ("JPEG", "PNG", "WEBP")
    pixels: int = 50_000_000
    decoders: int | None = None
    count: int = 64


@dataclass(frozen=True)
class ServeOptions:
    """What to serve, where, and how.

    Attributes:
        source: a bundle's folder, or `models:/NAME@alias` or `models:/NAME/VERSION`.
        name: of the model in addresses; default: what the bundle or the registry calls it.
        host: the address to listen on.
        port: 0: any that is free.
        model: how to run it.
        limits: of connections.
        photos: which are decoded.
        token: that requests have to bring; None: none.
        open_metrics: whether `/metrics` needs no token.
        control: whether clients may load, unload and roll back.
        deadline: the most seconds that a request has, waiting included; None: any.
        grace: seconds from SIGTERM to the end, lame duck included.
        lame_duck: seconds after SIGTERM in which new connections are still taken.
        poll: seconds between two looks at the alias.
        cache: where bundles of a registry are kept; default: `registry/` in TLSEARCH_HOME.
        uri: of the MLflow server; default: MLFLOW_TRACKING_URI.
    """

    source: str
    name: str | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    model: ModelOptions = field(default_factory=ModelOptions)
    limits: Limits = field(default_factory=Limits)
    photos: PhotoOptions = field(default_factory=PhotoOptions)
    token: str | None = field(default=None, repr=False)
    open_metrics: bool = False
    control: bool = True
    deadline: float | None = 10.0
    grace: float = 20.0
    lame_duck: float = 0.0
    poll: float = 30.0
    cache: Path | None = None
    uri: str | None = None
