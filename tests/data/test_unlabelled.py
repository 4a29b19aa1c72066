"""Photos without classes: which are found, and that they fall in the splits they would have."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tlsearch.config.schema import Data
from tlsearch.data.dataset import prepare
from tlsearch.data.folders import FolderSource
from tlsearch.data.source import open_source
from tlsearch.data.unlabelled import NO_CLASS, UnlabelledSource
from tlsearch.errors import DataError
from tlsearch.paths import Paths

SPLITS = ("train", "validation", "test")


def make(folder, *names):
    """Photos of noise, each different."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        values = np.random.default_rng(list(name.encode())).integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(values).save(path)
    return folder


def names(folders, count=40):
    return [f"{folder}/{number}.png" for folder in folders for number in range(count)]


def listed(folder):
    photos = UnlabelledSource(folder).photos()
    assert {photo.label for photo in photos} == {NO_CLASS}
    return [(p.path.relative_to(folder).as_posix(), p.split) for p in photos]


def places(folder, home, *, labelled, **options):
    """The split of each photo, by its content."""
    data = Data(
        source=str(folder), split={"train": 0.5, "validation": 0.25, "test": 0.25, **options}
    )
    dataset = prepare(data, Paths(home), 16, labelled=labelled)
    assert set(dataset.splits) == set(SPLITS)
    return {dataset.contents[row]: name for name, rows in dataset.splits.items() for row in rows}


def test_photos_at_any_depth_in_a_stable_order(tmp_path):
    make(tmp_path, "2.png", "1.jpg", "a/deep/er/3.png", "b/1.png")
    assert listed(tmp_path) == [
        ("1.jpg", None),
        ("2.png", None),
        ("a/deep/er/3.png", None),
        ("b/1.png", None),
    ]


def test_hidden_and_other_files_are_passed_over(tmp_path):
    make(tmp_path, "1.png", ".hidden.png", ".cache/1.png", "__MACOSX/1.png")
    (tmp_path / "notes.txt").touch()
    assert listed(tmp_path) == [("1.png", None)]
    assert UnlabelledSource(tmp_path).listing().ignored == 2


def test_split_folders_keep_their_meaning(tmp_path):
    make(tmp_path, "train/1.png", "train/deep/2.png", "val/3.png", "Test/4.png", "loose.png")
    assert listed(tmp_path) == [
        ("Test/4.png", "test"),
        ("train/1.png", "train"),
        ("train/deep/2.png", "train"),
        ("val/3.png", "validation"),
    ]
    assert UnlabelledSource(tmp_path).listing().ignored == 1


def test_a_class_folder_may_be_a_link(tmp_path):
    make(tmp_path / "elsewhere", "1.png", "deep/2.png")
    make(tmp_path / "photos", "a/1.png")
    (tmp_path / "photos" / "b").symlink_to(tmp_path / "elsewhere")
    assert [name for name, _ in listed(tmp_path / "photos")] == [
        "a/1.png",
        "b/1.png",
        "b/deep/2.png",
    ]


@pytest.mark.parametrize("other", [[], ["notes.txt", "a/b.txt", ".hidden/1.png"]])
def test_a_folder_without_photos(tmp_path, other):
    for name in other:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(DataError, match="there are no photos") as raised:
        UnlabelledSource(tmp_path).photos()
    assert raised.value.received == str(tmp_path)
    assert ".png" in raised.value.expected


def test_a_folder_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        UnlabelledSource(tmp_path / "absent").photos()


def test_folders_are_opened_by_whether_classes_are_asked_for(tmp_path):
    data, paths = Data(source=str(tmp_path)), Paths(tmp_path / "home")
    assert type(open_source(data, paths)) is FolderSource
    assert type(open_source(data, paths, labelled=False)) is UnlabelledSource


def test_all_photos_are_of_one_class(tmp_path):
    folder = make(tmp_path / "photos", *names([".", "a", "b"]))
    data = prepare(Data(source=str(folder)), Paths(tmp_path / "home"), 16, labelled=False)
    assert data.classes == (NO_CLASS,)
    assert data.labels.tolist() == [0] * 120
    assert sum(len(rows) for rows in data.splits.values()) == 120


@pytest.mark.parametrize("seed", [7, 8])
@pytest.mark.parametrize(
    "folders",
    [
        ["a", "b"],
        ["train/a", "train/b", "test/a", "test/b"],
        ["train/a", "train/b", "val/a", "val/b", "test/a", "test/b"],
    ],
)
def test_each_photo_falls_in_the_split_that_it_has_with_its_class(tmp_path, folders, seed):
    folder = make(tmp_path / "photos", *names(folders))
    without = places(folder, tmp_path / "home", labelled=False, seed=seed)
    assert without == places(folder, tmp_path / "home", labelled=True, seed=seed)
    assert set(without.values()) == set(SPLITS)


def test_a_test_folder_without_classes_is_no_split_where_train_has_them(tmp_path):
    """Read with classes, part of train becomes the test split: it must be so here too."""
    folder = make(tmp_path / "photos", *names(["train/a", "train/b", "test"]))
    labelled = places(folder, tmp_path / "home", labelled=True)
    assert labelled == places(folder, tmp_path / "home", labelled=False)
    assert len(labelled) == 80
    assert (
        UnlabelledSource(folder).listing().ignored == FolderSource(folder).listing().ignored == 40
    )


def test_folders_in_train_are_no_classes_where_there_is_one(tmp_path):
    """Read with classes it would be refused, so there is nothing to agree with."""
    folder = make(tmp_path / "photos", *names(["train", "train/2019", "test"], 4))
    splits = [split for _, split in listed(folder)]
    assert (splits.count("train"), splits.count("test")) == (8, 4)


def test_photos_beside_the_class_folders_move_none_of_the_others(tmp_path):
    folder = make(tmp_path / "photos", *names(["a", "b"]), *names(["."]))
    labelled = places(folder, tmp_path / "home", labelled=True)
    without = places(folder, tmp_path / "home", labelled=False)
    assert (len(labelled), len(without)) == (80, 120)
    assert labelled.items() <= without.items()
