"""Fetching a file once: under a temporary name, checked, then renamed into its place."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from tlsearch.data.writing import explain_failure
from tlsearch.errors import DataError, DownloadError
from tlsearch.files import keep
from tlsearch.paths import Paths
from tlsearch.progress import bar
from tlsearch.redaction import redact_error

if TYPE_CHECKING:
    import httpx

_CONNECT_SECONDS, _READ_SECONDS = 5.0, 30.0
_ATTEMPTS = 3
_QUICKSTART = "tlsearch run sweeps/quickstart.yaml"


def fetch(address: str, sha256: str | None, paths: Paths) -> Path:
    """The file behind an http(s) address, downloaded if it is not there yet.

    Args:
        address: where it is.
        sha256: what its checksum must be, if that is known.
        paths: it is kept under `paths.downloads`.

    Raises:
        DownloadError: it cannot be fetched; the message says where to put it by hand.
        DataError: its checksum is another one.
        HomeError: the disk is full, or may not be written to.
    """
    from filelock import FileLock

    target = place_of(address, paths)
    with explain_failure(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.parent / ".lock"):
            if target.is_file():
                check_sha256(target, sha256)
            else:
                _download(address, sha256, target)
    return target


def place_of(address: str, paths: Paths) -> Path:
    """Where the file behind an address is kept, and where it may be put by hand."""
    key = hashlib.sha256(address.encode()).hexdigest()[:12]
    name = PurePosixPath(unquote(urlsplit(address).path)).name
    return paths.downloads / key / (name or "archive")


def check_sha256(file: Path, expected: str | None) -> None:
    """Raise DataError unless the file has this checksum; None accepts any."""
    if expected is None:
        return
    with file.open("rb") as opened:
        actual = hashlib.file_digest(opened, "sha256").hexdigest()
    if actual != expected:
        raise _checksum_error(str(file), actual, expected)


def _checksum_error(name: str, actual: str, expected: str) -> DataError:
    return DataError(
        f"the archive is not the one that data.sha256 names: {name}",
        received=actual,
        expected=expected,
        hint="remove the file and fetch it again, or correct data.sha256 if you trust it",
    )


def _download(address: str, sha256: str | None, target: Path) -> None:
    import httpx

    partial = target.with_name(f".{target.name}.partial")
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            actual = _stream(address, partial)
            if sha256 not in (None, actual):
                raise _checksum_error(address, actual, str(sha256))
            keep(partial, target)
            return
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            if attempt == _ATTEMPTS or not _is_transient(error):
                raise _download_error(address, target, error) from redact_error(error)
            time.sleep(0.5 * attempt)
        finally:
            partial.unlink(missing_ok=True)


def _stream(address: str, target: Path) -> str:
    """Write what the address answers to a file; returns its SHA-256."""
    import httpx

    timeout = httpx.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS)
    headers = {"Accept-Encoding": "identity"}
    with (
        target.open("wb") as file,
        httpx.stream(
            "GET", address, headers=headers, timeout=timeout, follow_redirects=True
        ) as response,
    ):
        response.raise_for_status()
        return _save(response, file)


def _save(response: httpx.Response, file: IO[bytes]) -> str:
    total = int(response.headers.get("content-length", 0)) or None
    digest = hashlib.sha256()
    with bar(f"fetching {response.url.path}", total, is_bytes=True) as advance:
        for part in response.iter_raw():
            file.write(part)
            digest.update(part)
            advance(len(part))
    return digest.hexdigest()


def _is_transient(error: Exception) -> bool:
    """A server that stumbled or a connection that broke; one that cannot be made is no network."""
    import httpx

    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in (429, 500, 502, 503, 504)
    return isinstance(error, (httpx.ReadError, httpx.RemoteProtocolError))


def _download_error(address: str, target: Path, error: Exception) -> DownloadError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return DownloadError(
        f"{target.name} could not be fetched",
        received=f"{address}: {reason}",
        expected=f"a connection to {urlsplit(address).hostname}",
        hint=f"fetch it by other means and put it at {target}\n"
        f"  or try what needs no download: {_QUICKSTART}",
    )
