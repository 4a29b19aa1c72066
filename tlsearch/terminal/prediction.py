"""`tlsearch predict`: photos and folders through a bundle, as the server would answer.

What is known of a photo is written at once and forgotten, so that a folder may hold any number.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from serving import Bundle, Engine, Prediction
from tlsearch.cores import usable_cores
from tlsearch.data.folders import EXTENSIONS, photos_below, unreadable
from tlsearch.errors import NoResultError, UsageError
from tlsearch.progress import track
from tlsearch.terminal.prediction_rows import write_csv, write_json, write_lines
from tlsearch.terminal.words import counted

REGISTRY = "models:/"


def predict_images(bundle: Path | str, images: Sequence[Path], *, json: bool, csv: bool) -> None:
    """Print what the model says of every photo, or why it cannot be read.

    Args:
        bundle: a folder, or `models:/NAME@ALIAS` or `models:/NAME/VERSION` of the MLflow server
            that the environment names.
        images: photos, and folders of photos.
        json: print a JSON document.
        csv: print CSV, with the three most probable classes.

    Raises:
        BundleError: the bundle is damaged or answers otherwise than it should.
        SetupError: MLflow does not answer, or knows no such version.
        UsageError: a photo does not exist, or there is none.
        NoResultError: no photo could be read.
    """
    files = expand(images)
    engine = Engine(Bundle.open(locate(bundle)), threads=usable_cores())
    engine.replay_golden()
    tally = Tally()
    write = write_json if json else write_csv if csv else write_lines
    write(_stdout(), engine.bundle.labels, tally.count(_watch(engine.classify(files), len(files))))
    if tally.read == 0:
        raise NoResultError(
            "no photo could be read",
            received=counted(tally.unreadable, "file"),
            expected="at least one photo that can be read",
            hint="what is wrong with each stands in the output",
        )


@dataclass
class Tally:
    """How many photos could be read, and how many not."""

    read: int = 0
    unreadable: int = 0

    def count(self, predictions: Iterable[Prediction]) -> Iterator[Prediction]:
        """Pass the predictions on."""
        for one in predictions:
            self.unreadable += one.error is not None
            self.read += one.error is None
            yield one


def locate(bundle: Path | str) -> Path:
    """The bundle's folder; a bundle of a registry is fetched first."""
    if not str(bundle).startswith(REGISTRY):
        return Path(bundle)
    from serving.registry import fetch_bundle

    return fetch_bundle(str(bundle))


def expand(images: Iterable[Path]) -> list[Path]:
    """Files as they are, folders as the photos below them, in the order of their names.

    Raises:
        UsageError: a path that is not there, a folder without photos, or one that may not be read.
    """
    return [file for path in images for file in _files_of(path)]


def _files_of(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UsageError(
            "there is no such photo", received=str(path), hint="check the path of the photo"
        )
    try:
        found, _ = photos_below(path)
    except OSError as error:
        raise unreadable(path, error) from error
    if not found:
        raise UsageError(
            "the folder holds no photos",
            received=str(path),
            expected=f"files that end in {', '.join(sorted(EXTENSIONS))}",
            hint="name the files themselves if theirs is another ending",
        )
    return sorted(found)


def _stdout() -> TextIO:
    """Standard output itself: the bar on a terminal puts another one in its place.

    A name that is no UTF-8 leaves as it came.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")
    return sys.stdout


def _watch(predictions: Iterator[Prediction], total: int) -> Iterator[Prediction]:
    """A bar on stderr, unless the lines that appear on the same terminal show the progress."""
    if sys.stdout.isatty():
        return predictions
    return track(predictions, "classifying", total)
