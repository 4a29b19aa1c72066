"""Which source a name opens, and what is said about names that open none."""

from __future__ import annotations

import pytest

from tlsearch.config.schema import Data
from tlsearch.data.archive import ArchiveSource
from tlsearch.data.folders import FolderSource
from tlsearch.data.generated import GeneratedSource
from tlsearch.data.manifest import ManifestSource
from tlsearch.data.source import open_source, split_of
from tlsearch.errors import DataError
from tlsearch.paths import Paths


@pytest.fixture
def paths(tmp_path):
    return Paths(tmp_path / "home")


def test_each_kind_of_name_opens_its_source(tmp_path, paths):
    (tmp_path / "photos").mkdir()
    (tmp_path / "folder.zip").mkdir()
    for name in ("list.csv", "a.tgz", "a.tar.gz", "a.ZIP"):
        (tmp_path / name).touch()
    expected = {
        str(tmp_path / "photos"): FolderSource,
        str(tmp_path / "folder.zip"): FolderSource,
        str(tmp_path / "list.csv"): ManifestSource,
        str(tmp_path / "a.tgz"): ArchiveSource,
        str(tmp_path / "a.tar.gz"): ArchiveSource,
        str(tmp_path / "a.ZIP"): ArchiveSource,
        "https://example.org/a.tgz": ArchiveSource,
        "generated:flowers": GeneratedSource,
    }
    opened = {name: open_source(Data(source=name), paths) for name in expected}
    assert {name: type(source) for name, source in opened.items()} == expected
    assert {name: source.description for name, source in opened.items()} == {n: n for n in expected}
    assert not paths.home.exists()


def test_a_home_folder_is_understood(tmp_path, paths, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "photos").mkdir()
    assert open_source(Data(source="~/photos"), paths).folder == tmp_path / "photos"


def test_a_missing_folder_is_named_with_its_near_matches(tmp_path, paths):
    (tmp_path / "flower_photos").mkdir()
    with pytest.raises(DataError) as raised:
        open_source(Data(source=str(tmp_path / "flower_fotos" / "deeper")), paths)
    assert raised.value.received == str(tmp_path / "flower_fotos" / "deeper")
    assert raised.value.hint == f"did you mean {tmp_path / 'flower_photos'}?"


def test_a_missing_folder_without_near_matches_leads_to_drawn_photos(tmp_path, paths):
    with pytest.raises(DataError, match="generated:flowers"):
        open_source(Data(source=str(tmp_path / "zzz")), paths)


@pytest.mark.parametrize("name", ["absent.tgz", "absent.csv", "absent.zip"])
def test_a_missing_file_is_named(tmp_path, paths, name):
    with pytest.raises(DataError, match=name):
        open_source(Data(source=str(tmp_path / name)), paths)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("generated:cats", "expected: generated:flowers"),
        ("s3://bucket/a.tgz", "expected: http:// or https://"),
    ],
)
def test_unknown_kinds(paths, name, expected):
    with pytest.raises(DataError, match=expected):
        open_source(Data(source=name), paths)


def test_a_file_of_no_known_kind(tmp_path, paths):
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(DataError, match="a file of no known kind"):
        open_source(Data(source=str(tmp_path / "photo.jpg")), paths)


@pytest.mark.parametrize("name", [".", "generated:flowers"])
def test_a_checksum_of_what_is_no_archive_is_refused(paths, name):
    with pytest.raises(DataError, match=r"remove data\.sha256"):
        open_source(Data(source=name, sha256="0" * 64), paths)


def test_split_names():
    named = {name: split_of(name) for name in ("Train", " val ", "valid", "validation", "TEST")}
    assert list(named.values()) == ["train", "validation", "validation", "validation", "test"]
    assert split_of("daisy") is None
