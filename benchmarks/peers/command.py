"""The frame of a benchmark's command: errors in red, findings as JSON if wanted, and as tables."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

from rich.console import Console

from tlsearch.errors import TlsearchError


def carry_out(
    options: argparse.Namespace,
    compare: Callable[[argparse.Namespace, Console], dict[str, Any]],
    show: Callable[[dict[str, Any], Console], None],
) -> int:
    """Compare and show; the exit code.

    Args:
        options: with `output`, the JSON file that is wanted, or None.
        compare: given a console on stderr, finds all there is, ready for JSON.
        show: prints what was found.
    """
    console = Console(stderr=True)
    try:
        findings = compare(options, console)
    except TlsearchError as error:
        console.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        return error.exit_code
    if options.output:
        options.output.write_text(json.dumps(findings, indent=1), encoding="utf-8")
    show(findings, Console())
    return 0
