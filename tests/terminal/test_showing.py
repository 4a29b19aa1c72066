"""What a sweep looks like: words, lines, tables, the live table and JSON."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from tlsearch.execution.notices import Notice
from tlsearch.terminal.jsonlines import clean, print_json, print_notice
from tlsearch.terminal.lines import Lines
from tlsearch.terminal.live import LiveTable
from tlsearch.terminal.tables import failures_table, trials_table
from tlsearch.terminal.words import configuration, duration, number

ROW = {
    "trial": 1,
    "state": "complete",
    "value": 0.91234,
    "backbone": "MobileNet",
    "strategy": "fine_tune",
    "unfreeze": 2,
    "head_learning_rate": 1.5e-3,
    "epochs": 3,
    "seconds": 75.0,
    "failure": None,
    "reason": None,
}
OTHER = {**ROW, "trial": 2, "value": 0.5, "strategy": "feature_extraction", "unfreeze": None}
FAILED = {
    **ROW,
    "trial": 3,
    "state": "fail",
    "value": None,
    "failure": "nan_loss",
    "reason": "the loss is nan",
}
HALVED = {
    "trial": 4,
    "batch": 16,
    "micro_batch": 8,
    "parts": 2,
    "reason": "memory ran out",
    "log": "l",
}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (math.nan, "-"),
        (0.91234, "0.9123"),
        (1.3e-4, "1.3e-04"),
        (3, "3"),
        (2.0, "2"),
        ("fine_tune", "fine_tune"),
        (0.0, "0"),
    ],
)
def test_numbers(value, shown):
    assert number(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "-"),
        (math.nan, "-"),
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (75, "1 min 15 s"),
        (3600, "1 h 00 min"),
        (7500, "2 h 05 min"),
    ],
)
def test_durations(seconds, shown):
    assert duration(seconds) == shown


def test_a_configuration_in_one_line():
    shown = "MobileNet strategy=fine_tune unfreeze=2 head_learning_rate=1.5e-03"
    assert configuration(ROW) == shown


def _console(terminal=False):
    return Console(
        file=io.StringIO(), width=200, force_terminal=terminal, color_system=None, highlight=False
    )


def _text(renderable):
    console = _console()
    console.print(renderable)
    return console.file.getvalue()


def test_a_table_has_a_column_for_what_differs():
    shown = _text(trials_table([ROW, OTHER], "a sweep"))
    assert "a sweep" in shown
    assert "strategy" in shown
    assert "head_learning_rate" not in shown
    assert "0.9123" in shown
    assert "1 min 15 s" in shown


def test_names_that_look_like_markup_are_shown_as_they_are():
    shown = _text(trials_table([{**ROW, "backbone": "net[b].keras"}, {**OTHER, "augment": "[/x]"}]))
    assert "net[b].keras" in shown
    assert "[/x]" in shown


def test_failed_trials_have_a_table_with_class_reason_and_log():
    odd = {**FAILED, "trial": 2, "failure": "error", "reason": "KeyError: '[x]'\nmore"}
    shown = _text(failures_table([ROW, {**FAILED, "log": "/home/logs/worker-7-0.log"}, odd]))
    assert "nan_loss" in shown
    assert "the loss is nan" in shown
    assert "/home/logs/worker-7-0.log" in shown
    assert "KeyError: '[x]'" in shown
    assert "more" not in shown
    assert failures_table([ROW, OTHER]) is None


def test_a_batch_that_was_halved_has_a_column():
    shown = _text(trials_table([ROW, {**OTHER, "micro_batch": 8}]))
    assert "micro_batch" in shown
    assert "micro_batch" not in _text(trials_table([ROW, OTHER]))


def test_a_table_of_nothing():
    assert "trial" in _text(trials_table([]))


def _lines(*notices):
    console = _console()
    lines = Lines(console)
    for event, data in notices:
        lines(Notice(event, data))
    return console.file.getvalue().splitlines()


def test_lines_say_what_happened():
    assert _lines(
        ("sweep_opened", {"name": "roses", "home": "/h", "finished": 2, "budget": 9}),
        ("trial_started", {"trial": 1, "attempt": 1, "configuration": {}}),
        ("trial_ended", ROW),
        ("trial_ended", FAILED),
        ("trial_ended", {**FAILED, "log": "logs/worker-7-0.log"}),
        ("trial_retried", {"trial": 4, "attempt": 2, "reason": "the worker ended", "log": "l"}),
        ("batch_halved", HALVED),
        ("champion", ROW),
        ("registered", {"name": "roses", "version": "3"}),
        ("warning", {"text": "[no] markup"}),
        ("of a later version", {}),
    ) == [
        "sweep roses: 9 trials, 2 of them done: continuing (state in /h)",
        f"trial 1 complete: 0.9123 in 3 epochs, 1 min 15 s  {configuration(ROW)}",
        "trial 3 fail: nan_loss: the loss is nan",
        "trial 3 fail: nan_loss: the loss is nan (log: logs/worker-7-0.log)",
        "trial 4: the worker ended; attempt 2 (log: l)",
        "trial 4: memory ran out; it goes on with 8 of the 16 photos of a batch at a time (log: l)",
        "champion: trial 1 with 0.9123 on validation",
        "registered: models:/roses@champion (version 3)",
        "warning: [no] markup",
    ]


def test_lines_say_what_is_stored_and_why():
    where = {"backbone": "MobileNet", "image_size": 96, "cut": "block_3"}
    times = "2.0 s stored, 31 s computed in every epoch"
    assert _lines(
        ("storing", {**where, "stores": True, "bytes": 18_750_000, "why": times}),
        ("storing", {**where, "stores": True, "bytes": 0, "why": "it is stored"}),
        ("storing", {**where, "stores": False, "bytes": 0, "why": "store.use is never"}),
    ) == [
        f"MobileNet at 96 px, block_3: storing 18.8 MB; {times}",
        "MobileNet at 96 px, block_3: it is stored",
        "MobileNet at 96 px, block_3: computed in every epoch; store.use is never",
    ]


def test_lines_name_the_photos_that_were_left_out():
    shown = _lines(
        (
            "data_ready",
            {
                "classes": ["a", "b"],
                "photos": {"train": 8, "validation": 1, "test": 1},
                "unreadable": [[f"{n}.jpg", "torn"] for n in range(20)],
                "warnings": ["unreadable photos left out: 20"],
            },
        )
    )
    assert shown[0] == "photos: 2 classes, 8 train, 1 validation, 1 test"
    assert shown[1] == "warning: unreadable photos left out: 20"
    assert shown[2] == "  left out: 0.jpg: torn"
    assert len(shown) == 12


def test_the_live_table_shows_what_runs_and_the_best():
    console = _console(terminal=True)
    epoch = {"trial": 5, "epoch": 2, "metrics": {"val_accuracy": 0.777}, "seconds": 4.0}
    with LiveTable(console, "val_accuracy") as live:
        for event, data in (
            ("trial_started", {"trial": 1, "attempt": 1, "configuration": {"backbone": "X"}}),
            ("trial_ended", ROW),
            ("trial_ended", FAILED),
            ("trial_started", {"trial": 5, "attempt": 1, "configuration": {"backbone": "Tiny"}}),
            ("epoch", epoch),
        ):
            live(Notice(event, data))
        running, best = (_text(one) for one in live._render().renderables)
    assert "0.7770" in running
    assert "Tiny" in running
    assert "0.9123" in best
    assert "nan_loss" not in best
    assert "trial 3 fail: nan_loss" in console.file.getvalue()


def test_json_has_no_nan_and_nothing_of_numpy():
    values = {
        "nan": math.nan,
        "infinite": np.float32("inf"),
        "number": np.float64(0.5),
        "count": np.int64(3),
        "path": Path("a/b"),
        "list": (1, math.nan, "x"),
        3: None,
        "flag": np.True_,
    }
    assert clean(values) == {
        "nan": None,
        "infinite": None,
        "number": 0.5,
        "count": 3,
        "path": "a/b",
        "list": [1, None, "x"],
        "3": None,
        "flag": True,
    }


def test_json_of_a_command(capsys):
    print_json([{"value": math.nan}])
    assert json.loads(capsys.readouterr().out) == {"schema": 1, "data": [{"value": None}]}


def test_an_event_is_one_line(capsys):
    print_notice(Notice("trial_ended", {**ROW, "reason": "two\nlines"}))
    (line,) = capsys.readouterr().out.splitlines()
    shown = json.loads(line)
    assert (shown["schema"], shown["event"], shown["reason"]) == (1, "trial_ended", "two\nlines")
