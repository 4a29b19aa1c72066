"""JSON that knows when it was damaged, and full disks."""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tlsearch.errors import HomeError
from tlsearch.files import write_whole


def write_sealed(file: Path, body: Any) -> None:
    """Write JSON: on the first line the SHA-256 of the second, which is the body."""
    text = json.dumps(body).encode()
    write_whole(file, b'{"sha256": "%b"}\n%b\n' % (_seal(text), text))


def read_sealed(file: Path) -> Any:
    """What `write_sealed` was given; None if it is absent, unreadable or has changed since."""
    try:
        seal, text, end = file.read_bytes().split(b"\n")
        is_whole = seal == b'{"sha256": "%b"}' % _seal(text) and not end
        return json.loads(text) if is_whole else None
    except OSError as error:
        raise_unless_damaged(error)
        return None
    except ValueError:
        return None


def raise_unless_damaged(error: OSError) -> None:
    """Raise the error again unless it says that the file itself is gone or bad.

    A process with too many open files must not take what it cannot read for damaged.
    """
    if error.errno not in (errno.ENOENT, errno.EIO):
        raise error


def _seal(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest().encode()


@contextmanager
def explain_failure(folder: Path) -> Iterator[None]:
    """Turn an OSError of the block, which reads or writes the store, into a HomeError."""
    try:
        yield
    except OSError as error:
        raise HomeError(
            "the activation store cannot be used; what was stored before stays",
            received=f"{folder} ({error.strerror or error})",
            expected="room on the disk, and the right to read and write",
            hint="make room: tlsearch store --limit 5 (GB), choose another place: "
            "TLSEARCH_HOME=/path/to/folder, or do without: store.use=never",
        ) from error
