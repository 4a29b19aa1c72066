"""What the server says while it runs: on stderr, each event in a line."""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import final

OURS = ("serving", "tlsearch", "uvicorn")
"""Of the libraries only warnings are of interest: httpx tells of every look at the registry."""


class LogLevel(StrEnum):
    """From how grave an event on it is told."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def configure_logs(level: LogLevel) -> None:
    """Set up logging for this process; with `debug` the libraries' too."""
    number = logging.getLevelNamesMapping()[level.name]
    handler = logging.StreamHandler()
    handler.setFormatter(_Line("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    others = number if level is LogLevel.DEBUG else max(number, logging.WARNING)
    logging.basicConfig(handlers=[handler], level=others, force=True)
    for name in OURS:
        logging.getLogger(name).setLevel(number)


@final
class _Line(logging.Formatter):
    """The lines of a message become one; those of a traceback stay, below it."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's name)
        record.message = "; ".join(line.strip() for line in record.message.splitlines())
        return super().formatMessage(record)
