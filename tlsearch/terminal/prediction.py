"""`tlsearch predict`: photos and folders through a bundle."""

from __future__ import annotations

import csv as csv_format
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.table import Table

from serving import Bundle, Engine, Prediction
from tlsearch.errors import NoResultError, UsageError
from tlsearch.progress import track
from tlsearch.terminal.jsonlines import print_json
from tlsearch.terminal.words import screen

PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}


def predict_images(folder: Path, images: Sequence[Path], *, json: bool, csv: bool) -> None:
    """Print a label and its probability for every photo.

    Raises:
        BundleError: the bundle is damaged or answers otherwise than it should.
        UsageError: a photo does not exist, or there is none.
        NoResultError: no photo could be read.
    """
    files = list(expand(images))
    engine = Engine(Bundle.open(folder))
    engine.replay_golden()
    predictions = list(track(engine.classify(files), "classifying", len(files)))
    if json:
        print_json([_record(prediction, engine.bundle.labels) for prediction in predictions])
    elif csv:
        _print_csv(predictions)
    else:
        _print_table(predictions)
    if all(prediction.error for prediction in predictions):
        raise NoResultError("no photo could be read", received=f"{len(predictions)} files")


def expand(images: Iterable[Path]) -> Iterator[Path]:
    """Files as they are, folders as the photos below them, in the order of their names."""
    for path in images:
        if path.is_dir():
            found = [file for file in path.rglob("*") if file.suffix.lower() in PHOTO_SUFFIXES]
            if not found:
                raise UsageError("the folder holds no photos", received=str(path))
            yield from sorted(found)
        elif path.is_file():
            yield path
        else:
            raise UsageError(
                "there is no such photo", received=str(path), hint="check the path of the photo"
            )


def _record(prediction: Prediction, labels: Sequence[str]) -> dict[str, object]:
    if prediction.probabilities is None:
        return {"image": prediction.source, "error": prediction.error}
    probabilities = dict(zip(labels, map(float, prediction.probabilities), strict=True))
    return {
        "image": prediction.source,
        "label": prediction.label,
        "probability": prediction.probability,
        "probabilities": probabilities,
    }


def _print_csv(predictions: Iterable[Prediction]) -> None:
    writer = csv_format.writer(sys.stdout)
    writer.writerow(["image", "label", "probability", "error"])
    for one in predictions:
        writer.writerow([one.source, one.label, one.probability, one.error])


def _print_table(predictions: Iterable[Prediction]) -> None:
    table = Table("image", "label", "probability")
    for one in predictions:
        if one.error:
            table.add_row(one.source, f"[red]{one.error}[/]", "-")
        else:
            table.add_row(one.source, one.label, f"{one.probability:.4f}")
    screen().print(table)
