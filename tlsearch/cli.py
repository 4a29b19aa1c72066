"""The commands. Each imports what it needs when it runs, so that `--help` answers at once.

Results go to stdout, progress and errors to stderr.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from tlsearch.errors import TlsearchError
from tlsearch.output import hide_credentials

app = typer.Typer(
    name="tlsearch",
    help="Transfer-learning sweeps: search, track, compare, export, verify.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

SweepFile = Annotated[Path, typer.Argument(metavar="SWEEP", help="A sweep file (YAML).")]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="Overrides, such as budget.trials=10."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def run(
    sweep: SweepFile,
    overrides: Overrides = None,
    new: Annotated[bool, typer.Option("--new", help="Start over; the old study is kept.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object an event.")] = False,
) -> None:
    """Search, train, choose, export. Run it again to continue."""
    from tlsearch.terminal.commands import run_sweep

    run_sweep(sweep, overrides or [], new=new, json=json)


@app.command()
def plan(sweep: SweepFile, overrides: Overrides = None, json: Json = False) -> None:
    """Show what a sweep will do and store; run nothing."""
    from tlsearch.terminal.plan import plan_sweep

    plan_sweep(sweep, overrides or [], json=json)


@app.command()
def trials(
    sweep: SweepFile,
    overrides: Overrides = None,
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Show the leaderboard of a sweep."""
    from tlsearch.terminal.commands import show_trials

    show_trials(sweep, overrides or [], json=json, csv=csv)


@app.command()
def report(sweep: SweepFile, overrides: Overrides = None, json: Json = False) -> None:
    """Say what a sweep has found: champion, test metrics, comparison, bundle."""
    from tlsearch.terminal.commands import show_report

    show_report(sweep, overrides or [], json=json)


@app.command()
def export(
    sweep: SweepFile,
    overrides: Overrides = None,
    trial: Annotated[int | None, typer.Option(help="Which trial; default: the champion.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="The bundle's folder; default: in the sweep's folder.")
    ] = None,
    triton: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write the model into a Triton model repository too."),
    ] = None,
    json: Json = False,
) -> None:
    """Write the bundle of a trial."""
    from tlsearch.terminal.commands import Places, export_trial

    places = Places(output, triton)
    export_trial(sweep, overrides or [], trial=trial, places=places, json=json)


@app.command()
def predict(
    bundle: Annotated[
        Path, typer.Argument(metavar="BUNDLE", help="A bundle's folder, or models:/NAME@ALIAS.")
    ],
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Photos or folders.")],
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Classify photos with a bundle."""
    from tlsearch.terminal.prediction import predict_images

    predict_images(bundle, images, json=json, csv=csv)


@app.command(
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
def serve(context: typer.Context) -> None:
    """Serve a bundle, or a model of the registry, over HTTP."""
    from serving.__main__ import app as command

    command(context.args, prog_name="tlsearch serve")


@app.command()
def pretrain(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe (YAML).")],
    overrides: Overrides = None,
    new: Annotated[bool, typer.Option("--new", help="Start over, from nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object an event.")] = False,
) -> None:
    """Pretrain a backbone on drawn patterns or on photos. Run it again to continue."""
    from tlsearch.terminal.pretraining import pretrain_backbone

    pretrain_backbone(recipe, overrides or [], new=new, json=json)


@app.command()
def ui(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.")] = 5000,
) -> None:
    """Open the MLflow UI on the tracked sweeps."""
    from tlsearch.paths import Paths
    from tlsearch.tracking.ui import open_ui

    open_ui(Paths.from_environment(), None, host, port)


@app.command()
def sync(
    sweep: Annotated[
        str | None, typer.Argument(metavar="[SWEEP]", help="A sweep's file or name; default: all.")
    ] = None,
    json: Json = False,
) -> None:
    """Tell MLflow what it could not be told while a sweep ran."""
    from tlsearch.paths import Paths
    from tlsearch.terminal.syncing import sync_sweeps

    sync_sweeps(sweep, Paths.from_environment(), json=json)


@app.command()
def backbones(json: Json = False) -> None:
    """List the backbones: size, parameters, weights, ImageNet accuracy, blocks."""
    from tlsearch.terminal.listings import show_backbones

    show_backbones(json=json)


@app.command()
def store(
    json: Json = False,
    limit: Annotated[
        float | None,
        typer.Option(metavar="GB", help="Remove what was used least recently, down to so many GB."),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check every checksum; remove what is damaged.")
    ] = False,
) -> None:
    """List the stored activations of frozen networks, or make room."""
    from tlsearch.paths import Paths
    from tlsearch.terminal.store import show_store

    show_store(Paths.from_environment(), json=json, limit=limit, verify=verify)


@app.command()
def schema(
    recipe: Annotated[bool, typer.Option("--recipe", help="That of recipes.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print it as `data`, as others do.")] = False,
) -> None:
    """Print the JSON Schema of sweep files, or of recipes."""
    from tlsearch.terminal.listings import print_schema

    print_schema(recipe=recipe, json=json)


@app.command()
def doctor(json: Json = False) -> None:
    """Check what this machine has: packages, GPU, weights, home."""
    from tlsearch.terminal.doctor import examine

    raise typer.Exit(examine(json=json))


@app.callback(invoke_without_command=True)
def top(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from tlsearch import __version__

        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Run a command; every error that a user can meet is a message and an exit code."""
    hide_credentials()
    try:
        app()
    except TlsearchError as error:
        print(f"tlsearch: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("tlsearch: interrupted; run the same command again to continue", file=sys.stderr)
        sys.exit(130)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] in ("tlsearch", "serving"):
            raise
        print(
            f"tlsearch: this command needs the package {error.name}\n"
            "  next: pip install 'tlsearch[train]'",
            file=sys.stderr,
        )
        sys.exit(3)


if __name__ == "__main__":
    main()
