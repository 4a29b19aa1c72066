"""The sheet of worst mistakes: which photo stands where, and what a crowded caption does."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tlsearch.report.contact_sheet import (
    CAPTION,
    GAP,
    HEADER,
    PHOTO,
    Mistake,
    collect_mistakes,
    draw_contact_sheet,
)
from tlsearch.report.evaluation import Evaluation


def coloured(colour):
    return np.full((8, 8, 3), colour, np.uint8)


def evaluation():
    probabilities = np.array([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8]], np.float32)
    return Evaluation(probabilities, np.array([1, 1, 1]), ("cat", "dog"))


def test_the_photos_go_with_their_mistakes():
    first, second = collect_mistakes(evaluation(), np.stack([coloured(10), coloured(20)]))
    assert (first.true, first.predicted, first.probability) == ("dog", "cat", pytest.approx(0.9))
    assert (first.photo.max(), second.photo.max()) == (10, 20)
    assert second.probability == pytest.approx(0.6)


def test_each_photo_has_its_place():
    colours = [(30 * n, 0, 100) for n in range(7)]
    mistakes = [Mistake(coloured(colour), "dog", "cat", 0.9) for colour in colours]
    sheet = draw_contact_sheet(mistakes, total=9)
    for place, colour in enumerate(colours):
        row, column = divmod(place, 5)
        left = GAP + column * (PHOTO + GAP) + PHOTO // 2
        top = HEADER + GAP + row * (PHOTO + CAPTION + GAP) + PHOTO // 2
        assert sheet.getpixel((left, top)) == colour


def test_a_long_name_stays_under_its_photo():
    long = Mistake(coloured(0), "x" * 200, "y" * 200, 0.5)
    sheet = np.asarray(draw_contact_sheet([long], total=1).convert("L"))
    right_of_the_photo = sheet[HEADER + GAP :, GAP + PHOTO + 2 :]
    assert (right_of_the_photo == 255).all()


def test_no_mistakes_are_a_picture_too():
    assert isinstance(draw_contact_sheet([], total=0), Image.Image)
