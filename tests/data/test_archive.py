"""Archives: unpacked whole or not at all, used again, and refused when they reach outside."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
import zipfile

import pytest

from tlsearch.data.archive import ArchiveSource
from tlsearch.errors import DataError
from tlsearch.paths import Paths

FILES = ("flowers/a/1.jpg", "flowers/b/1.jpg", "flowers/LICENSE.txt")


@pytest.fixture
def paths(tmp_path):
    return Paths(tmp_path / "home")


def write_tar(path, *members):
    with tarfile.open(path, "w:gz") as archive:
        for member in members:
            info = member if isinstance(member, tarfile.TarInfo) else tarfile.TarInfo(member)
            data = b"photo" if info.isfile() else b""
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def write_zip(path, *members):
    with zipfile.ZipFile(path, "w") as archive:
        for member in members:
            archive.writestr(member, b"photo")
    return path


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zip_link(name):
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def left_behind(paths):
    """Everything under the home but lock files."""
    return [path for path in paths.home.rglob("*") if path.is_file() and path.suffix != ".lock"]


@pytest.mark.parametrize(
    ("write", "name"), [(write_tar, "a.tgz"), (write_tar, "a.tar.gz"), (write_zip, "a.zip")]
)
def test_a_single_folder_is_descended_into(tmp_path, paths, write, name):
    source = ArchiveSource(str(write(tmp_path / name, *FILES)), None, paths)
    assert [(p.label, p.path.read_bytes()) for p in source.photos()] == [
        ("a", b"photo"),
        ("b", b"photo"),
    ]


def test_an_archive_with_files_beside_its_one_folder(tmp_path, paths):
    archive = write_zip(tmp_path / "a.zip", "read me.txt", *FILES, "__MACOSX/flowers/._1.jpg")
    assert {p.label for p in ArchiveSource(str(archive), None, paths).photos()} == {"a", "b"}


def test_an_archive_of_class_folders(tmp_path, paths):
    archive = write_zip(tmp_path / "a.zip", "a/1.jpg", "b/1.jpg")
    assert {p.label for p in ArchiveSource(str(archive), None, paths).photos()} == {"a", "b"}


def test_a_second_run_unpacks_nothing(tmp_path, paths):
    source = ArchiveSource(str(write_tar(tmp_path / "a.tgz", *FILES)), None, paths)
    first = source.photos()
    before = first[0].path.stat().st_mtime_ns, first[0].path.stat().st_ino
    assert source.photos() == first
    assert (first[0].path.stat().st_mtime_ns, first[0].path.stat().st_ino) == before


def test_a_changed_archive_is_unpacked_anew(tmp_path, paths):
    archive = write_tar(tmp_path / "a.tgz", *FILES)
    ArchiveSource(str(archive), None, paths).photos()
    write_tar(archive, "c/1.jpg", "d/1.jpg")
    os.utime(archive, ns=(1, 1))
    assert {p.label for p in ArchiveSource(str(archive), None, paths).photos()} == {"c", "d"}


def test_a_known_checksum_needs_the_archive_once(tmp_path, paths):
    archive = write_tar(tmp_path / "a.tgz", *FILES)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    source = ArchiveSource(str(archive), digest, paths)
    first = source.photos()
    archive.unlink()
    assert source.photos() == first


def test_another_checksum_leaves_nothing_behind(tmp_path, paths):
    archive = write_tar(tmp_path / "a.tgz", *FILES)
    with pytest.raises(DataError, match="the archive is not the one"):
        ArchiveSource(str(archive), "0" * 64, paths).photos()
    assert left_behind(paths) == []


@pytest.mark.parametrize(
    "member",
    [
        "../outside.jpg",
        "a/../../outside.jpg",
        "/outside.jpg",
        special("a/link.jpg", tarfile.SYMTYPE, "1.jpg"),
        special("a/link.jpg", tarfile.SYMTYPE, "/etc/passwd"),
        special("a/link.jpg", tarfile.LNKTYPE, "a/1.jpg"),
        special("a/device", tarfile.CHRTYPE),
        special("a/pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda member: getattr(member, "name", member),
)
def test_a_tar_that_reaches_outside_is_refused(tmp_path, paths, member):
    archive = write_tar(tmp_path / "a.tgz", "a/1.jpg", member, "b/1.jpg")
    with pytest.raises(DataError, match="refused"):
        ArchiveSource(str(archive), None, paths).photos()
    assert left_behind(paths) == []
    assert not list(tmp_path.rglob("outside.jpg"))


@pytest.mark.parametrize(
    "member",
    ["../outside.jpg", "/outside.jpg", "..\\outside.jpg", "C:\\outside.jpg", zip_link("a/link")],
    ids=["parent", "absolute", "backslash", "drive", "link"],
)
def test_a_zip_that_reaches_outside_is_refused(tmp_path, paths, member):
    archive = write_zip(tmp_path / "a.zip", "a/1.jpg", member, "b/1.jpg")
    with pytest.raises(DataError, match="refused"):
        ArchiveSource(str(archive), None, paths).photos()
    assert left_behind(paths) == []
    assert not list(tmp_path.rglob("*outside.jpg"))


@pytest.mark.parametrize("name", ["a.tgz", "a.zip"])
def test_a_damaged_archive_leaves_nothing_behind(tmp_path, paths, name):
    whole = (write_zip if name == "a.zip" else write_tar)(tmp_path / name, *FILES).read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"no archive at all", b"PK and no zip"):
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(DataError, match="damaged"):
            ArchiveSource(str(tmp_path / name), None, paths).photos()
    assert left_behind(paths) == []


def test_what_a_killed_process_left_is_removed(tmp_path, paths):
    source = ArchiveSource(str(write_tar(tmp_path / "a.tgz", *FILES)), None, paths)
    folder = source.photos()[0].path.parents[2]
    folder.rename(folder.with_name(f".{folder.name}.partial"))
    (folder.with_name(f".{folder.name}.partial") / "torn.jpg").touch()
    assert len(source.photos()) == 2
    assert not list(paths.home.rglob("torn.jpg"))


@pytest.mark.parametrize("sha256", [None, "0" * 64])
def test_an_archive_that_cannot_be_read_is_at_fault_and_not_the_home(tmp_path, paths, sha256):
    # A folder, because root may read a file whoever it belongs to.
    (tmp_path / "photos.zip").mkdir()
    with pytest.raises(DataError, match="archive of photos cannot be read"):
        ArchiveSource(str(tmp_path / "photos.zip"), sha256, paths).listing()
