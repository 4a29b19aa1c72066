"""What the pictures show, asked of the figures themselves rather than of their pixels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tlsearch.report.evaluation import Evaluation
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


def words(axes):
    return [text.get_text() for text in axes.texts]


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
    assert "best epoch 2: 0.8" in words(accuracy)[0]


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
    counts = [int(text.split("\n")[0]) for text in words(axes) if "%" in text and "\n" in text]
    assert sum(counts) == some.photos
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b", "c"]


@pytest.mark.parametrize("classes", [2, 50])
def test_a_name_stays_on_the_picture(classes):
    names = tuple(f"{'a class with a rather long name'[: 4 + n]} ${n}$" for n in range(classes))
    figure = plot_confusion_matrix(evaluation(names, photos=2000))
    figure.canvas.draw()
    (axes,) = figure.axes
    page = figure.bbox
    for label in [*axes.get_xticklabels(), *axes.get_yticklabels()]:
        box = label.get_window_extent()
        assert page.x0 <= box.x0 <= box.x1 <= page.x1
        assert page.y0 <= box.y0 <= box.y1 <= page.y1


def test_the_weakest_class_is_at_the_top():
    some = evaluation(("a", "b", "c", "d"))
    (axes,) = plot_per_class(some).axes
    top = axes.get_yticklabels()[-1].get_text()
    weakest = some.per_class().sort_values("f1").iloc[0]
    assert top == f"{weakest['class']}  ({weakest['photos']})"
