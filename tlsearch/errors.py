"""Every error that a user can meet.

TlsearchError
├── UsageError                 exit 2: the command or the sweep file is wrong
│   ├── SweepFileError         mistakes in a sweep file, all of them at once
│   ├── StudyMismatchError     the study on disk was made by a different sweep
│   └── DataError              the photos cannot be used as they are
├── SetupError                 exit 3: the machine lacks something
│   ├── DownloadError          a file could not be fetched
│   ├── WeightsError           a backbone's weights are not at hand
│   ├── HomeError              TLSEARCH_HOME cannot be used
│   │   └── DiskError          its disk is full, or may not be written to
│   └── BundleError            a bundle is incomplete, damaged or gives other answers
├── NoResultError              exit 1: it ran, and there is nothing to show for it
│   └── NonFiniteLossError     a trial's loss became NaN or infinite
└── Interrupted                exit 130 or 143: stopped by the user, resumable

A message says what is wrong, what was received, what was expected, and what to do next. None holds
a credential, whatever was received.
"""

from __future__ import annotations

from tlsearch.redaction import redact


class TlsearchError(Exception):
    """The root. `exit_code` is what the command line ends with."""

    exit_code = 1

    def __init__(
        self,
        what: str,
        *,
        received: object = None,
        expected: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.what = redact(what)
        super().__init__(self.what)
        self.received = None if received is None else redact(str(received))
        self.expected = None if expected is None else redact(expected)
        self.hint = None if hint is None else redact(hint)

    def __str__(self) -> str:
        lines = [self.what]
        if self.received is not None:
            lines.append(f"  received: {self.received}")
        if self.expected is not None:
            lines.append(f"  expected: {self.expected}")
        if self.hint is not None:
            lines.append(f"  next: {self.hint}")
        return "\n".join(lines)


class UsageError(TlsearchError):
    """The command or the sweep file is wrong."""

    exit_code = 2


class SweepFileError(UsageError):
    """Mistakes in a sweep file, each a line `file:line:column: what is wrong`."""

    def __init__(self, mistakes: list[str]) -> None:
        self.mistakes = [redact(mistake) for mistake in mistakes]
        super().__init__("\n".join(self.mistakes))


class StudyMismatchError(UsageError):
    """The study on disk was made by a different sweep."""


class DataError(UsageError):
    """The photos cannot be used as they are."""


class SetupError(TlsearchError):
    """The machine lacks something that the command needs."""

    exit_code = 3


class DownloadError(SetupError):
    """A file could not be fetched."""


class WeightsError(SetupError):
    """A backbone's weights are not at hand."""


class HomeError(SetupError):
    """TLSEARCH_HOME cannot be used."""


class DiskError(HomeError):
    """The disk of TLSEARCH_HOME is full, or may not be written to; what is there is kept."""


class BundleError(SetupError):
    """A bundle is incomplete, damaged or gives other answers than it should."""


class NoResultError(TlsearchError):
    """It ran, and there is nothing to show for it."""


class NonFiniteLossError(NoResultError):
    """A trial's loss became NaN or infinite."""


class Interrupted(TlsearchError):
    """Stopped by a signal; running the same command again continues."""

    def __init__(self, what: str, *, signal: int, hint: str | None = None) -> None:
        super().__init__(what, hint=hint)
        self.exit_code = 128 + signal
