"""The classes of failure, and how one is told from an error. What is done about them is not here.

This module is read by workers, so it imports no framework.
"""

from __future__ import annotations

from PIL import UnidentifiedImageError

from tlsearch.disk import is_disk_full
from tlsearch.errors import DataError, NonFiniteLossError, TlsearchError
from tlsearch.execution.memory import is_out_of_memory, tells_of_memory
from tlsearch.redaction import redact

OUT_OF_MEMORY = "out_of_memory"
NAN_LOSS = "nan_loss"
UNREADABLE_DATA = "unreadable_data"
WORKER_LOST = "worker_lost"
TIMEOUT = "timeout"
SETUP = "setup"
DISK_FULL = "disk_full"
ERROR = "error"
"""Anything else: a fault of the program."""

LONGEST = 500
"""Characters of a foreign error's text that a reason quotes."""


def classify(error: BaseException) -> str:
    """The class of failure that an error stands for."""
    if isinstance(error, NonFiniteLossError):
        return NAN_LOSS
    if is_disk_full(error):
        return DISK_FULL
    if is_out_of_memory(error):
        return OUT_OF_MEMORY
    if isinstance(error, DataError | UnidentifiedImageError):
        return UNREADABLE_DATA
    return SETUP if isinstance(error, TlsearchError) else ERROR


def reason(error: BaseException) -> str:
    """What the error says, with its type where it is not one of ours; no credentials."""
    text = redact(str(error).strip()) or type(error).__name__
    if isinstance(error, TlsearchError):
        return text
    # TensorFlow says what ran out below a traceback of the graph.
    telling = (line.strip() for line in text.splitlines() if tells_of_memory(line))
    return f"{type(error).__name__}: {next(telling, text)[:LONGEST]}"
