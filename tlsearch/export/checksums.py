"""`SHA256SUMS`: a bundle holds exactly the files it was exported with, every bit as it was.

The format is that of the command sha256sum.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from tlsearch.errors import BundleError

CHECKSUMS_FILE = "SHA256SUMS"
EXPORT_AGAIN = "make the bundle again: tlsearch export SWEEP"


def write_checksums(folder: Path) -> Path:
    """Write `SHA256SUMS` over every other file; `sha256sum --check SHA256SUMS` reads it too."""
    folder = Path(folder)
    lines = [f"{_sha256(folder / name)}  {name}\n" for name in sorted(_files(folder))]
    path = folder / CHECKSUMS_FILE
    path.write_text("".join(lines), encoding="utf-8")
    return path


def verify_checksums(folder: Path) -> None:
    """Check that the folder holds the files of `SHA256SUMS`, unchanged, and no others.

    Raises:
        BundleError: it does not; the files are named.
    """
    folder = Path(folder)
    sums = _read_checksums(folder)
    files = _files(folder)
    _refuse(folder, "lacks files", sorted(sums.keys() - files))
    _refuse(folder, "holds files that are not in SHA256SUMS", sorted(files - sums.keys()))
    changed = [name for name, digest in sorted(sums.items()) if _sha256(folder / name) != digest]
    _refuse(folder, "has changed files", changed)


def _read_checksums(folder: Path) -> dict[str, str]:
    try:
        text = (folder / CHECKSUMS_FILE).read_bytes().decode("utf-8")
    except OSError as error:
        raise not_a_bundle(folder, f"{CHECKSUMS_FILE}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise _unreadable_checksums(folder, "bytes that are not UTF-8") from error
    *lines, rest = text.split("\n")  # `splitlines` takes other characters for the end of a line
    if rest:
        raise _unreadable_checksums(folder, f"a last line without its end: {rest}")
    sums = {}
    for line in lines:
        digest, gap, name = line.partition("  ")
        if len(digest) != 64 or not gap or not name:
            raise _unreadable_checksums(folder, line)
        sums[name] = digest
    return sums


def _files(folder: Path) -> set[str]:
    paths = (path for path in folder.rglob("*") if not path.is_dir())
    return {path.relative_to(folder).as_posix() for path in paths} - {CHECKSUMS_FILE}


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BundleError(
            "a file of the bundle cannot be read",
            received=f"{path} ({error.strerror})",
            expected="a file that this user may read",
            hint="check its permissions",
        ) from error


def _refuse(folder: Path, what: str, names: list[str]) -> None:
    if names:
        raise BundleError(
            f"the bundle {folder} {what}",
            received=", ".join(names),
            expected="exactly the files of SHA256SUMS, as they were exported",
            hint=f"copy the bundle again, or {EXPORT_AGAIN}",
        )


def _unreadable_checksums(folder: Path, received: str) -> BundleError:
    return BundleError(
        f"{folder / CHECKSUMS_FILE} is damaged",
        received=received,
        expected="lines of a SHA-256, two spaces and a file name",
        hint=f"copy the bundle again, or {EXPORT_AGAIN}",
    )


def not_a_bundle(folder: Path, received: str) -> BundleError:
    """The error for a folder that was never a bundle, or is but a part of one."""
    return BundleError(
        f"{folder} is not a bundle",
        received=received,
        expected="a folder with model.onnx, bundle.json and SHA256SUMS",
        hint="give the folder that `tlsearch export SWEEP` made",
    )
