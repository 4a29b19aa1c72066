"""What an error is called, and what is quoted of it."""

from __future__ import annotations

import errno

import pytest

from tlsearch.errors import DataError, HomeError, NonFiniteLossError, WeightsError
from tlsearch.execution.failures import classify, reason


def _caused_by(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NonFiniteLossError("the loss is nan"), "nan_loss"),
        (MemoryError(), "out_of_memory"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "out_of_memory"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full"),
        (_caused_by(HomeError("no store"), OSError(errno.ENOSPC, "full")), "disk_full"),
        (HomeError("no store"), "setup"),
        (DataError("torn"), "unreadable_data"),
        (WeightsError("none"), "setup"),
        (EOFError(), "error"),
        (TypeError("odd"), "error"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_classes(error, kind):
    assert classify(error) == kind


def test_of_a_long_error_the_line_that_tells_is_quoted():
    text = "Graph execution error:\n\nDetected at node x\n  OOM when allocating tensor\nmore"
    assert reason(RuntimeError(text)) == "RuntimeError: OOM when allocating tensor"


def test_other_errors_are_quoted_up_to_a_length():
    assert reason(ValueError("x" * 900)) == "ValueError: " + "x" * 500
    assert reason(KeyError()) == "KeyError: KeyError"
