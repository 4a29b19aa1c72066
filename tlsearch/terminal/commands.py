"""The commands about one sweep: run, trials, export."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tlsearch.config.loading import load
from tlsearch.config.schema import Sweep
from tlsearch.execution.notices import Notice, Notify
from tlsearch.paths import Paths
from tlsearch.search.leaderboard import leaderboard
from tlsearch.terminal.jsonlines import print_json, print_notice
from tlsearch.terminal.lines import Lines
from tlsearch.terminal.live import LiveTable
from tlsearch.terminal.summary import as_data, print_summary
from tlsearch.terminal.tables import failures_table, trials_table
from tlsearch.terminal.words import screen


@dataclass(frozen=True)
class Places:
    """Where an export goes: the bundle's folder, by default the sweep's; a Triton repository."""

    bundle: Path | None = None
    triton: Path | None = None


def run_sweep(file: Path, overrides: Sequence[str], *, new: bool, json: bool) -> None:
    """Run or continue a sweep and print what it found."""
    from tlsearch.search.run import run

    sweep = load(file, overrides)
    command = shlex.join(["tlsearch", "run", str(file), *overrides])
    with display(sweep, json=json) as notify:
        result = run(sweep, new=new, notify=notify, command=command)
    if not json:
        print_summary(result, file, overrides)


@contextmanager
def display(sweep: Sweep, *, json: bool) -> Iterator[Notify]:
    """JSON lines, a live table, or plain lines: what fits where the output goes."""
    console = screen(stderr=True)
    if json:
        yield print_notice
    elif console.is_terminal:
        with LiveTable(console, sweep.objective.metric) as live:
            yield live
    else:
        yield Lines(console)


def show_trials(file: Path, overrides: Sequence[str], *, json: bool, csv: bool) -> None:
    """Print the leaderboard."""
    from tlsearch.search.run import find_study

    sweep = load(file, overrides)
    study = find_study(sweep, Paths.from_environment())
    table = leaderboard(study.trials(), sweep.objective)
    if csv:
        table.to_csv(sys.stdout, index=False)
    elif json:
        print_json(table.to_dict(orient="records"))
    else:
        rows = table.astype(object).where(table.notna(), None).to_dict(orient="records")
        console = screen()
        console.print(trials_table(rows, f"{sweep.name}: {sweep.objective.metric}"))
        if (failed := failures_table(rows)) is not None:
            console.print(failed)


def show_report(file: Path, overrides: Sequence[str], *, json: bool) -> None:
    """Say again what a sweep has found."""
    from tlsearch.search.run import read_result

    result = read_result(load(file, overrides), Paths.from_environment())
    if json:
        print_json(as_data(result))
    else:
        print_summary(result, file, overrides)


def export_trial(
    file: Path, overrides: Sequence[str], *, trial: int | None, places: Places, json: bool
) -> None:
    """Export a trial's bundle; the champion's, unless another is named."""
    from tlsearch.export.triton import write_triton
    from tlsearch.search.run import export

    sweep = load(file, overrides)
    with display(sweep, json=json) as notify:
        written = [export(sweep, trial=trial, output=places.bundle, notify=notify)]
        if places.triton is not None:
            written.append(write_triton(written[0], places.triton))
            notify(Notice("triton_written", {"model": str(written[1])}))
    if not json:
        print(*written, sep="\n")
