"""What every source must do, whatever it is."""

from __future__ import annotations

import pickle
import shutil

import pytest

from tlsearch.config.schema import Data
from tlsearch.data.source import SPLITS, open_source
from tlsearch.paths import Paths


def folder(base):
    for name in ("b/2.jpg", "b/10.jpg", "a/1.jpg"):
        (base / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (base / "photos" / name).write_text(name)
    return str(base / "photos")


def split_folders(base):
    folder(base)
    for split in ("train", "val", "test"):
        shutil.copytree(base / "photos", base / "splits" / split)
    return str(base / "splits")


def archive(kind):
    def make(base):
        folder(base)
        return shutil.make_archive(str(base / "photos"), kind, base, "photos")

    return make


def manifest(base):
    folder(base)
    rows = "photos/b/2.jpg,b,\nphotos/b/10.jpg,b,test\nphotos/a/1.jpg,a,train\n"
    (base / "list.csv").write_text("path,label,split\n" + rows)
    return str(base / "list.csv")


def generated(base):
    return "generated:flowers"


@pytest.fixture(
    params=[folder, split_folders, archive("zip"), archive("gztar"), manifest, generated],
    ids=["folder", "split folders", "zip", "tar.gz", "manifest", "generated"],
)
def source(request, tmp_path):
    data = Data(source=request.param(tmp_path), generated={"photos_per_class": 2, "size": 32})
    return open_source(data, Paths(tmp_path / "home"))


def test_it_lists_files_of_at_least_two_classes(source):
    photos = source.photos()
    assert len({photo.label for photo in photos}) >= 2
    assert all(photo.path.is_file() and photo.path.is_absolute() for photo in photos)
    assert len({photo.path for photo in photos}) == len(photos)
    assert {photo.split for photo in photos} <= {None, *SPLITS}


def test_it_lists_the_same_every_time(source):
    assert source.photos() == source.photos()
    assert source.listing().photos == source.photos()


def test_its_description_is_one_line(source):
    assert source.description
    assert "\n" not in source.description


def test_it_travels_between_processes(source):
    assert pickle.loads(pickle.dumps(source)).photos() == source.photos()
