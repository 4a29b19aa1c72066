"""The command `python -m serving`, which is also `tlsearch serve`, and how it ends."""

from __future__ import annotations

import inspect
import sys
from typing import Any

import typer

from serving.arguments import Arguments
from serving.logs import configure_logs
from serving.server import run
from tlsearch.errors import TlsearchError

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def serve(**given: Any) -> None:
    """Serve a bundle: Open Inference Protocol v2, photos to labels, a page to try it."""
    arguments = Arguments(**given)
    options = arguments.options()
    configure_logs(arguments.log_level)
    run(options)


# Typer reads a command's options from its signature.
serve.__signature__ = inspect.signature(Arguments, eval_str=True)  # type: ignore[attr-defined]
app.command()(serve)


def main() -> None:
    """Run the command; an error that a user can meet is a message and an exit code."""
    try:
        app(prog_name="python -m serving")
    except TlsearchError as error:
        print(f"serving: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
