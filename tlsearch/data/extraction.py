"""Unpacking an archive so that it is there whole or not at all, and nothing lands outside.

Only plain files and folders are taken: a link, a device, an absolute name or one with `..`
refuses the whole archive, since no archive of photos needs any of them.
"""

from __future__ import annotations

import gzip
import lzma
import stat
import tarfile
import zipfile
import zlib
from functools import partial
from pathlib import Path, PureWindowsPath

from tlsearch.data.writing import make_whole
from tlsearch.errors import DataError
from tlsearch.progress import bar

_DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,
)


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack into `folder`, or leave nothing behind. A folder that is there already stays.

    Raises:
        DataError: the archive is damaged, or holds what an archive of photos must not.
        HomeError: the folder cannot be written to.
    """
    make_whole(folder, partial(_unpack_members, archive))
    return folder


def _unpack_members(archive: Path, folder: Path) -> None:
    with archive.open("rb") as opened:
        is_zip = opened.read(2) == b"PK"
    try:
        (_unpack_zip if is_zip else _unpack_tar)(archive, folder)
    except _DAMAGED as error:
        raise _damaged(archive, error) from error


def _damaged(archive: Path, error: Exception) -> DataError:
    return DataError(
        f"the archive is damaged: {archive}",
        received=str(error) or type(error).__name__,
        expected="a whole .tgz, .tar.gz or .zip that needs no password",
        hint="remove it and fetch it again",
    )


def _unpack_zip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as opened, bar("unpacking", len(opened.namelist())) as advance:
        for member in opened.infolist():
            # Only what a Unix system packed says of what kind a member is.
            kind = stat.S_IFMT(member.external_attr >> 16)
            _check_member(archive, member.filename, kind in (0, stat.S_IFREG, stat.S_IFDIR))
            opened.extract(member, folder)
            advance(1)


def _unpack_tar(archive: Path, folder: Path) -> None:
    with tarfile.open(archive, "r:*") as opened, bar("unpacking", None) as advance:
        for member in opened:
            _check_member(archive, member.name, member.isfile() or member.isdir())
            opened.extract(member, folder, filter="data")
            advance(1)


def _check_member(archive: Path, name: str, is_plain: bool) -> None:
    path = PureWindowsPath(name)  # understands both kinds of slash, and drives
    if is_plain and not path.anchor and ".." not in path.parts:
        return
    raise DataError(
        f"the archive is refused: {archive}",
        received=f"the member {name}" + ("" if is_plain else " (a link or a device)"),
        expected="plain files and folders, with names that stay inside the archive",
        hint="pack the photos anew without links, or give the unpacked folder as data.source",
    )
