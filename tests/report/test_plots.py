"""What the pictures show, asked of the figures themselves rather than of their pixels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.transforms import Bbox

from tlsearch.report.evaluation import Evaluation
from tlsearch.report.lettering import Lettering
from tlsearch.report.plots import (
    best_epoch,
    plot_confusion_matrix,
    plot_learning_curves,
    plot_per_class,
)

HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2, 3, 4],
        "loss": [1.0, 0.6, 0.4, 0.3],
        "val_loss": [0.9, 0.7, 0.6, 0.65],
        "accuracy": [0.5, 0.7, 0.8, 0.9],
        "val_accuracy": [0.6, 0.8, 0.75, 0.7],
    }
)


def evaluation(classes, photos=300):
    random = np.random.default_rng(3)
    labels = random.integers(0, len(classes), photos)
    scores = random.random((photos, len(classes))) + 0.4 * np.eye(len(classes))[labels]
    return Evaluation(scores / scores.sum(1, keepdims=True), labels, classes)


def letterings(axes):
    return [artist for artist in axes.get_children() if isinstance(artist, Lettering)]


def words(axes):
    return [word for lettering in letterings(axes) for word in lettering.words]


def boxes(figure):
    """What each word takes at most, in pixels: of outlines without their curves."""
    for axes in figure.axes:
        for lettering in letterings(axes):
            places = lettering.get_offset_transform().transform(lettering.get_offsets())
            for word, path, place in zip(
                lettering.words, lettering.get_paths(), places, strict=True
            ):
                corners = path.vertices * figure.dpi / 72 + place
                yield word, Bbox([corners.min(axis=0), corners.max(axis=0)])


def test_the_best_epoch_follows_the_objective():
    assert best_epoch(HISTORY, "val_accuracy") == 2
    assert best_epoch(HISTORY, "val_loss") == 3
    assert best_epoch(HISTORY.assign(val_loss=np.nan), "val_loss") is None


def test_the_curves_are_the_history():
    loss, accuracy = plot_learning_curves(HISTORY).axes
    training, validation, best = loss.lines
    assert training.get_ydata().tolist() == HISTORY["loss"].tolist()
    assert validation.get_ydata().tolist() == HISTORY["val_loss"].tolist()
    assert (best.get_xdata()[0], best.get_ydata()[0]) == (2, 0.7)
    assert "best epoch 2: 0.8 on validation" in words(accuracy)


def test_unfreezing_is_marked_between_the_epochs():
    for axes in plot_learning_curves(HISTORY, unfrozen_at=3).axes:
        assert axes.lines[-1].get_xdata()[0] == 2.5
        assert "blocks unfrozen" in words(axes)


def test_an_empty_history_draws_empty_panels():
    figure = plot_learning_curves(HISTORY[:0])
    assert [len(axes.lines[0].get_xdata()) for axes in figure.axes] == [0, 0]


def test_every_photo_is_counted_in_the_matrix():
    some = evaluation(("a", "b", "c"))
    (axes,) = plot_confusion_matrix(some).axes
    counts, percentages = (one for one in letterings(axes) if one.words[0][0].isdigit())
    assert sum(map(int, counts.words)) == some.photos
    assert len(percentages.words) == len(counts.words) == 9
    for place, row in zip(counts.get_offsets(), counts.words, strict=True):
        column, line = place.astype(int)
        assert some.confusion[line, column] == int(row)


@pytest.mark.parametrize("cell", [(0, 0), (0, 1)], ids=["right", "wrong"])
def test_a_cell_is_the_fuller_the_larger_its_share(cell):
    pale = []
    for right in (1, 9):
        answers = np.eye(2)[[0] * right + [1] * (10 - right) + [1]]
        some = Evaluation(answers, [0] * 10 + [1], ("a", "b"))
        (image,) = plot_confusion_matrix(some).axes[0].images
        pale.append(image.get_array()[cell].sum())
    assert (pale[0] > pale[1]) == (cell == (0, 0))


LONG = "a class with a rather long name"


@pytest.mark.parametrize("classes", [2, 40])
@pytest.mark.parametrize("plot", [plot_confusion_matrix, plot_per_class])
@pytest.mark.parametrize("name", [LONG, "W" * 60], ids=len)
def test_every_word_stays_on_the_picture(classes, plot, name):
    names = tuple(f"{name[: 4 + n]} ${n}$" for n in range(classes))
    _check_words(plot(evaluation(names, photos=2000)), classes)


@pytest.mark.parametrize("factor", [1e-7, 1, 1e9])
def test_so_does_every_word_of_the_curves(factor):
    history = HISTORY.assign(loss=HISTORY["loss"] * factor, val_loss=HISTORY["val_loss"] * factor)
    _check_words(plot_learning_curves(history, unfrozen_at=3), 4)


def _check_words(figure, beside):
    """All are on the page, and so many at the left of the first panel, none on another."""
    page, panel = figure.bbox, figure.axes[0].bbox
    left = []
    for word, box in boxes(figure):
        assert page.x0 <= box.x0 <= box.x1 <= page.x1, word
        assert page.y0 <= box.y0 <= box.y1 <= page.y1, word
        if box.x1 < panel.x0 and box.y0 > panel.y0 - 10:
            assert not any(box.overlaps(other) for other in left), word
            left.append(box)
    assert len(left) >= beside


def test_the_weakest_class_is_at_the_top():
    some = evaluation(("a", "b", "c", "d"))
    (axes,) = plot_per_class(some).axes
    names = next(one for one in letterings(axes) if one.words[0].endswith(")"))
    top = names.words[names.get_offsets()[:, 1].argmax()]
    weakest = some.per_class().sort_values("f1").iloc[0]
    assert top == f"{weakest['class']}  ({weakest['photos']})"
