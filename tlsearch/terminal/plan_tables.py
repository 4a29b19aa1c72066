"""How a plan is shown: tables and lines, or JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich.table import Table

from tlsearch.amounts import size
from tlsearch.config.combinations import Parameter, ordered
from tlsearch.config.enqueue_check import plain
from tlsearch.config.parameters import Choices, FloatRange
from tlsearch.search.plan import Plan
from tlsearch.terminal.tables import add_row, screening_table
from tlsearch.terminal.words import counted, duration, screen

if TYPE_CHECKING:
    from tlsearch.training.forecast import Outlook

_PREFIXES = ("backbone", "pixels", "cut", "views", "trials", "size", "a photo", "verdict", "why")
_NUMBERS = ("pixels", "views", "trials", "size", "a photo")


def print_plan(plan: Plan) -> None:
    """Print it to stdout."""
    console = screen()
    screened = [screening_table(plan.screening.as_dict()["rows"])] if plan.screening else []
    prefixes = [_prefixes(plan)] if plan.outlooks else []
    photos = (_counts(plan), *_remarks(plan), _space(plan))
    for part in (*photos, *screened, *_search(plan), *prefixes, *_storing(plan)):
        if isinstance(part, Table):
            console.print(part)
        else:
            console.print(part, markup=False, highlight=False, soft_wrap=True)


def as_data(plan: Plan) -> dict[str, Any]:
    """All figures of the plan, for JSON. Seconds are of all trials that are expected."""
    sweep, total = plan.sweep, plan.total
    return {
        "name": sweep.name,
        "trials": sweep.budget.trials,
        "hours": sweep.budget.hours,
        "sampler": sweep.search.sampler,
        "pruner": sweep.search.pruner,
        "epochs": sweep.train.epochs,
        "source": plan.dataset.source,
        "photos": plan.dataset.counts().to_dict(orient="index"),
        "warnings": list(plan.warnings),
        "unreadable": [asdict(photo) for photo in plan.dataset.unreadable],
        "space": [
            {"parameter": name, "values": _values(parameter), "when": parameter.when}
            for name, parameter in ordered(sweep.space)
        ],
        "searched": list(plan.searched),
        "backbones_kept": plan.kept,
        "screening": plan.screening.as_dict() if plan.screening else None,
        "share_on_photos": plan.on_photos,
        "prefixes": [_row(one) for one in plan.outlooks],
        "store": {
            "use": sweep.store.use,
            "limit_bytes": plan.limit,
            "room_bytes": plan.room,
            "free_bytes": plan.free,
            "needed_bytes": round(total.bytes_),
            "stored_bytes": round(total.stored_bytes),
            "compute_once_seconds": total.seconds,
            "compute_each_epoch_seconds": total.each_epoch,
        },
    }


def _row(one: Outlook) -> dict[str, Any]:
    known = one.prospect
    return {
        **asdict(one.reading),
        "cut": one.cut,
        "views": one.views,
        "sets": one.sets,
        "trials": one.expected.trials,
        "epochs": one.expected.epochs,
        "rows": one.rows,
        "stored_rows": one.stored,
        "bytes": one.bytes_,
        "photo_seconds": known.look_seconds if known else None,
        "stored_seconds": known.stored if known else None,
        "computed_seconds": known.computed if known else None,
        "stores": one.verdict.stores,
        "why": one.verdict.why,
    }


def _counts(plan: Plan) -> Table:
    counts = plan.dataset.counts()
    table = Table(title=f"{plan.sweep.name}: photos", title_justify="left")
    table.add_column("class")
    for name in counts.columns:
        table.add_column(str(name), justify="right")
    for label, row in counts.iterrows():
        add_row(table, str(label), *(f"{count:,}" for count in row))
    table.add_section()
    add_row(table, "all", *(f"{count:,}" for count in counts.sum()))
    return table


def _remarks(plan: Plan) -> Iterator[str]:
    for warning in plan.warnings:
        yield f"warning: {warning}"
    for photo in plan.dataset.unreadable[:10]:
        yield f"  left out: {photo.path}: {photo.reason}"


def _space(plan: Plan) -> Table:
    table = Table("parameter", "values", "when", title="space", title_justify="left")
    for name, parameter in ordered(plan.sweep.space):
        add_row(table, name, _values(parameter), _condition(parameter))
    return table


def _values(parameter: Parameter) -> str:
    if isinstance(parameter, Choices):
        given = [plain(choice) for choice in parameter.choices]
        return ", ".join("as trained" if one is None else f"{one}" for one in given)
    words = [f"{parameter.low:g} to {parameter.high:g}"]
    if parameter.log:
        words.append("logarithmic")
    if parameter.step is not None and (isinstance(parameter, FloatRange) or parameter.step != 1):
        words.append(f"in steps of {parameter.step:g}")
    return ", ".join(words)


def _condition(parameter: Parameter) -> str:
    conditions = [
        f"{name}: {', '.join(map(str, allowed if isinstance(allowed, list) else [allowed]))}"
        for name, allowed in (parameter.when or {}).items()
    ]
    return "; ".join(conditions)


def _search(plan: Plan) -> Iterator[str]:
    sweep, space = plan.sweep, plan.sweep.space
    hours = f" or {sweep.budget.hours:g} h" if sweep.budget.hours else ""
    names = ", ".join(plan.searched) or "nothing: one configuration"
    yield (
        f"{counted(sweep.budget.trials, 'trial')}{hours}, sampler {sweep.search.sampler}, "
        f"pruner {sweep.search.pruner}, for {sweep.objective.metric}; searched: {names}"
    )
    first = plan.head_epochs
    alone = f", with fine_tune the head alone in the first {first}" if first else ""
    yield f"{counted(sweep.train.epochs, 'epoch')} a trial{alone}"
    if plan.is_to_be_screened:
        yield f"screening keeps {plan.kept} of {len(space.backbone.choices)} backbones"
    if plan.screening is not None:
        kept, of = ", ".join(plan.screening.kept), len(plan.screening.rows)
        yield f"screening kept {plan.kept} of {of} backbones: {kept}"


def _prefixes(plan: Plan) -> Table:
    table = Table(title="frozen prefixes", title_justify="left")
    for name in _PREFIXES:
        table.add_column(name, justify="right" if name in _NUMBERS else "left")
    poolings = len(plan.sweep.space.pooling.choices)
    for _, alike in groupby(plan.outlooks, _kind):
        add_row(table, *_cells(list(alike), poolings))
    return table


def _kind(one: Outlook) -> tuple[object, ...]:
    """What stands in one line: renditions by several policies or strengths do, if all is the same
    with them."""
    reading = one.reading
    what = (reading.backbone, reading.image_size, one.cut, reading.unfreeze, reading.pooling)
    return *what, one.views, _verdict([one]), one.expected


def _cells(alike: list[Outlook], poolings: int) -> Iterator[str]:
    one = alike[0]
    reading, sets = one.reading, sum(other.sets for other in alike)
    cut = f"{one.cut} by {reading.pooling}" if reading.pooling and poolings > 1 else one.cut
    blocks = "" if reading.unfreeze is None else f" (unfreeze {reading.unfreeze})"
    yield reading.backbone
    yield str(reading.image_size)
    yield f"{cut or 'none'}{blocks}"
    yield f"{one.views}" if sets == 1 else f"{one.views}, of {sets:.3g} kinds"
    yield f"{sum(other.expected.trials for other in alike):.3g}"
    yield size(round(one.bytes_ * sets)) if one.prospect else "-"
    yield f"{one.prospect.look_seconds * 1e3:.1f} ms" if one.prospect else "-"
    yield _verdict(alike)
    yield f"each: {one.verdict.why}" if sets > 1 else one.verdict.why


def _verdict(alike: list[Outlook]) -> str:
    one = alike[0]
    if not one.verdict.stores:
        return "compute in every epoch"
    if one.stored == one.rows:
        return "stored"
    return f"store, {one.stored:,} of {one.rows:,} are there" if one.stored else "store"


def _storing(plan: Plan) -> Iterator[str]:
    share, total = plan.on_photos, plan.total
    if plan.outlooks and share:
        yield (
            f"{share:.0%} of the trials run their whole network on photos in every epoch "
            "(from_scratch, mixup, CutMix, or views: online): nothing is stored for them"
        )
    if not plan.outlooks:
        yield "nothing is stored: every trial runs its whole network on photos in every epoch"
        return
    most = "at most " if plan.is_to_be_screened else ""
    yield (
        f"the store will hold {most}{size(round(total.bytes_))} for this sweep, of which "
        f"{size(round(total.stored_bytes))} are there; its limit is {size(plan.limit)} "
        f"(store.limit_gb), the disk has {size(plan.free)} free"
    )
    if total.bytes_ > plan.limit or total.bytes_ - total.stored_bytes > plan.free:
        yield "not all of it fits at once: what was used longest ago goes, and is computed again"
    yield f"to compute and write once: {most}{duration(total.seconds)}"
    if total.each_epoch:
        yield f"to compute in every epoch, over all trials: {most}{duration(total.each_epoch)}"
