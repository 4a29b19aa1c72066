"""The worst mistakes as one picture: each photo with what it is and what it was taken for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from tlsearch.report.colours import INK, ORANGE, QUIET
from tlsearch.report.evaluation import Evaluation

PHOTO = 200
GAP = 16
CAPTION = 44
HEADER = 64
COLUMNS = 5


@dataclass(frozen=True)
class Mistake:
    """A photo that was taken for something else."""

    photo: npt.NDArray[np.uint8]
    true: str
    predicted: str
    probability: float


def collect_mistakes(evaluation: Evaluation, photos: npt.NDArray[np.uint8]) -> list[Mistake]:
    """The worst mistakes with their photos.

    Args:
        evaluation: what the classifier answered.
        photos: uint8 `[k, height, width, 3]`, the photos of `evaluation.worst(k)` in that order.
    """
    found = []
    for photo, index in zip(photos, evaluation.worst(len(photos)), strict=False):
        guess = int(evaluation.predicted[index])
        names = evaluation.classes[evaluation.labels[index]], evaluation.classes[guess]
        found.append(Mistake(photo, *names, float(evaluation.probabilities[index, guess])))
    return found


def draw_contact_sheet(mistakes: Sequence[Mistake], *, total: int) -> Image.Image:
    """One picture of these mistakes in rows of five, out of `total` that were made."""
    columns = min(COLUMNS, max(2, len(mistakes)))
    rows = -(-len(mistakes) // columns)
    size = (GAP + columns * (PHOTO + GAP), HEADER + rows * (PHOTO + CAPTION + GAP) + GAP)
    sheet = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(sheet)
    pen.text((GAP, GAP), "Worst mistakes", fill=INK, font=_font(20, bold=True))
    note = f"{len(mistakes)} of {total}, the most confident first" if total else "there are none"
    pen.text((GAP, GAP + 28), note, fill=QUIET, font=_font(13))
    for place, mistake in enumerate(mistakes):
        row, column = divmod(place, columns)
        corner = (GAP + column * (PHOTO + GAP), HEADER + GAP + row * (PHOTO + CAPTION + GAP))
        _draw_mistake(sheet, corner, mistake)
    return sheet


def _draw_mistake(sheet: Image.Image, corner: tuple[int, int], mistake: Mistake) -> None:
    photo = Image.fromarray(mistake.photo).resize((PHOTO, PHOTO), Image.Resampling.BICUBIC)
    sheet.paste(photo, corner)
    left, top = corner[0], corner[1] + PHOTO + 5
    pen = ImageDraw.Draw(sheet)
    taken = f", {mistake.probability:.0%}"
    _write(pen, (left, top), f"taken for {mistake.predicted}", ORANGE, after=taken)
    _write(pen, (left, top + 19), f"is {mistake.true}", INK)


def _write(
    pen: ImageDraw.ImageDraw, place: tuple[int, int], text: str, colour: str, *, after: str = ""
) -> None:
    """Write on one line under a photo; a text that is too long ends in an ellipsis."""
    font = _font(14)
    shown = text
    while len(shown) > 1 and pen.textlength(shown + after, font=font) > PHOTO:
        shown = shown.removesuffix("…")[:-1] + "…"
    pen.text(place, shown + after, fill=colour, font=font)


@cache
def _font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """The font of the other pictures; matplotlib brings it along."""
    from matplotlib import get_data_path

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(get_data_path(), "fonts", "ttf", name), size)
