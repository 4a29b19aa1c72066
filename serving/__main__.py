"""The command `python -m serving`, which is also `tlsearch serve`: its options, and how it ends."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from serving.http.front import Limits
from serving.model import ModelOptions
from serving.options import PhotoOptions, ServeOptions
from serving.server import run
from tlsearch.errors import TlsearchError

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

MEGABYTE = 1024 * 1024
Source = Annotated[
    str, typer.Argument(metavar="SOURCE", help="A bundle's folder, or models:/NAME@ALIAS.")
]
Provider = Annotated[str, typer.Option(metavar="cpu|cuda|tensorrt", help="What the model runs on.")]
Token = Annotated[
    str | None,
    typer.Option(envvar="TLSEARCH_TOKEN", help="Requests have to bring it; better as a variable."),
]
PROVIDERS = {
    "cpu": ("CPUExecutionProvider",),
    "cuda": ("CUDAExecutionProvider",),
    "tensorrt": ("TensorrtExecutionProvider", "CUDAExecutionProvider"),
}


@app.command()
def serve(  # noqa: PLR0913  (a command has as many options as it has)
    source: Source,
    name: Annotated[str | None, typer.Option(help="The model's name in addresses.")] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8000,
    provider: Provider = "cpu",
    precision: Annotated[
        str, typer.Option(metavar="fp32|fp16|int8|fastest", help="Which of the bundle's models.")
    ] = "fp32",
    workers: Annotated[
        int | None,
        typer.Option(
            min=0, help="Threads that run it; 0: the network's own. Default: a core each."
        ),
    ] = None,
    queue: Annotated[int, typer.Option(min=1, help="Photos that may wait.")] = 256,
    deadline: Annotated[
        float, typer.Option(min=0.001, help="Seconds that a request has at most.")
    ] = 10.0,
    token: Token = None,
    open_metrics: Annotated[
        bool, typer.Option("--open-metrics", help="/metrics needs no token.")
    ] = False,
    control: Annotated[
        bool, typer.Option(help="Clients may load, unload and roll back models.")
    ] = True,
    formats: Annotated[str, typer.Option(help="Of photos, with commas.")] = "jpeg,png,webp",
    megapixels: Annotated[float, typer.Option(min=0.001, help="Of a photo.")] = 50.0,
    body: Annotated[float, typer.Option(min=0.001, help="Megabytes of a request.")] = 32.0,
    connections: Annotated[int, typer.Option(min=1, help="At once.")] = 1000,
    receive: Annotated[
        float, typer.Option(min=0.1, help="Seconds in which a request has to arrive.")
    ] = 30.0,
    grace: Annotated[float, typer.Option(min=1, help="Seconds from SIGTERM to the end.")] = 20.0,
    lame_duck: Annotated[
        float, typer.Option(min=0, help="Seconds of these in which new connections are taken.")
    ] = 0.0,
    poll: Annotated[
        float, typer.Option(min=0.1, help="Seconds between two looks at the alias.")
    ] = 30.0,
    cache: Annotated[
        Path | None, typer.Option(help="Where bundles of a registry are kept.")
    ] = None,
) -> None:
    """Serve a bundle: Open Inference Protocol v2, photos to labels, a page to try it."""
    if provider not in PROVIDERS:
        raise typer.BadParameter(f"{provider!r} is none of {', '.join(PROVIDERS)}")
    if token == "":
        raise typer.BadParameter("an empty token would let everybody in", param_hint="--token")
    options = ServeOptions(
        source,
        name,
        host,
        port,
        model=ModelOptions(PROVIDERS[provider], precision, workers, queue),
        limits=Limits(
            body_bytes=int(body * MEGABYTE), connections=connections, receive_seconds=receive
        ),
        photos=PhotoOptions(
            tuple(word.strip().upper() for word in formats.split(",")), int(megapixels * 1e6)
        ),
        token=token,
        open_metrics=open_metrics,
        control=control,
        deadline=deadline,
        grace=grace,
        lame_duck=lame_duck,
        poll=poll,
        cache=cache,
    )
    run(options)


def main() -> None:
    """Run the command; an error that a user can meet is a message and an exit code."""
    try:
        app(prog_name="python -m serving")
    except TlsearchError as error:
        print(f"serving: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
