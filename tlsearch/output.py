"""What a process prints without being asked: tracebacks, and the warnings of its libraries."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
import warnings
from types import TracebackType
from typing import Any

from tlsearch.redaction import redact


def hide_credentials() -> None:
    """From now on tracebacks and warnings of this process, logged ones too, hold no credentials.

    For processes of our own, such as commands and workers: it changes what is global to one.
    """
    sys.excepthook = _print_traceback
    threading.excepthook = _print_traceback_of_thread
    logging.setLogRecordFactory(_make_record)
    warnings.formatwarning = _format_warning


_format = warnings.formatwarning


def _print_traceback(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    print(redact("".join(traceback.format_exception(kind, error, trace))), file=sys.stderr, end="")


def _print_traceback_of_thread(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_value is None or issubclass(failed.exc_type, SystemExit):
        return
    name = failed.thread.name if failed.thread else "?"
    print(f"Exception in thread {name}:", file=sys.stderr)
    _print_traceback(failed.exc_type, failed.exc_value, failed.exc_traceback)


def _make_record(*arguments: Any, **named: Any) -> logging.LogRecord:
    record = logging.LogRecord(*arguments, **named)
    # Nobody asks for less, but a server's line for each request.
    if record.levelno < logging.WARNING:
        return record
    record.msg, record.args = redact(_message(record)), ()
    if record.exc_info and record.exc_info[0] is not None:
        # A formatter takes the text that is there.
        record.exc_text = redact("".join(traceback.format_exception(*record.exc_info)).rstrip())
    return record


def _message(record: logging.LogRecord) -> str:
    """The whole of it: a credential may be an argument whose name stands in the format."""
    try:
        return record.getMessage()
    # Arguments that do not fit their format must not end the caller, nor be shown without it.
    except Exception:
        return f"{record.msg} (with other arguments)"


def _format_warning(*arguments: Any, **named: Any) -> str:
    return redact(_format(*arguments, **named))
