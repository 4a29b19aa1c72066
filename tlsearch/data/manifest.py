"""Photos from a CSV file with the columns `path`, `label` and, if wanted, `split`.

Paths start at the folder of the CSV. Other columns are left alone. An empty `split` counts as
train. Row numbers in messages count as a spreadsheet does: the header is row 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tlsearch.data.source import SPLITS, Listing, Photo, Source, split_of
from tlsearch.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 10


@dataclass(frozen=True)
class ManifestSource(Source):
    """A CSV file that lists photos."""

    file: Path

    @property
    def description(self) -> str:
        return str(self.file)

    def listing(self) -> Listing:
        rows = list(_rows(_read(self.file)))
        mistakes = list(_mistakes(self.file, rows))
        if mistakes:
            raise _mistakes_error(self.file, mistakes)
        photos = [
            Photo(self.file.parent / row.path, row.label, split_of(row.split)) for row in rows
        ]
        _check_classes(self.file, photos)
        return Listing(photos)


@dataclass(frozen=True)
class _Row:
    number: int
    path: str
    label: str
    split: str


def _read(file: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        table = pd.read_csv(
            file, dtype=str, keep_default_na=False, encoding="utf-8-sig", skip_blank_lines=False
        )
    except (ValueError, OSError) as error:
        raise _format_error(file, str(error)) from error
    table.columns = table.columns.str.strip().str.lower()
    if not isinstance(table.index, pd.RangeIndex):
        raise _format_error(file, "the rows have more fields than the header")
    if not {"path", "label"} <= set(table.columns):
        raise _format_error(file, f"columns {', '.join(table.columns)}")
    return table.fillna("")


def _format_error(file: Path, received: str) -> DataError:
    return DataError(
        f"the manifest cannot be read: {file}",
        received=received.strip(),
        expected="a CSV file in UTF-8 with the columns path, label and, if wanted, split",
        hint="write `path,label` as its first line",
    )


def _rows(table: pd.DataFrame) -> Iterator[_Row]:
    splits = table["split"] if "split" in table.columns else [""] * len(table)
    cells = zip(table["path"], table["label"], splits, strict=True)
    for number, (path, label, split) in enumerate(cells, start=2):
        row = _Row(number, path.strip(), label.strip(), split.strip())
        if row.path or row.label or row.split:
            yield row


def _mistakes(file: Path, rows: list[_Row]) -> Iterator[str]:
    seen: dict[str, int] = {}
    for row in rows:
        for mistake in _mistakes_in(row, file.parent):
            yield f"row {row.number}: {mistake}"
        if row.path and row.path in seen:
            yield f"row {row.number}: {row.path} is in row {seen[row.path]} already"
        seen.setdefault(row.path, row.number)


def _mistakes_in(row: _Row, folder: Path) -> Iterator[str]:
    if not row.path:
        yield "no path"
    elif not (folder / row.path).is_file():
        yield f"no such file: {row.path}"
    if not row.label:
        yield "no label"
    if row.split and split_of(row.split) is None:
        yield f"no such split: {row.split} (splits are {', '.join(SPLITS)})"


def _mistakes_error(file: Path, mistakes: list[str]) -> DataError:
    shown = mistakes[:_SHOWN]
    if len(mistakes) > _SHOWN:
        shown.append(f"... and {len(mistakes) - _SHOWN} more")
    count = f"{len(mistakes)} mistake{'s' if len(mistakes) > 1 else ''}"
    return DataError(
        "\n  ".join([f"the manifest has {count}: {file}", *shown]),
        expected=f"paths that start at {file.parent}, each with a label",
        hint="correct these rows",
    )


def _check_classes(file: Path, photos: list[Photo]) -> None:
    labels = sorted({photo.label for photo in photos})
    if len(labels) < 2:
        raise DataError(
            f"the manifest has {f'one class only: {labels[0]}' if labels else 'no photos'}",
            received=str(file),
            expected="rows with at least two labels",
            hint="add rows with photos of something else",
        )
