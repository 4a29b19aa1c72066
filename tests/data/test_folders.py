"""Folders of class folders, with and without splits, and what is wrong with others."""

from __future__ import annotations

import pytest

from tlsearch.data.folders import FolderSource
from tlsearch.errors import DataError


def make(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return FolderSource(folder)


def listed(source):
    folder = source.folder
    return [(p.path.relative_to(folder).as_posix(), p.label, p.split) for p in source.photos()]


def test_a_folder_per_class_in_a_stable_order(tmp_path):
    source = make(tmp_path, "b/2.jpg", "a/2.PNG", "a/10.jpeg", "a/deep/er/1.webp", "b/1.gif")
    assert listed(source) == [
        ("a/10.jpeg", "a", None),
        ("a/2.PNG", "a", None),
        ("a/deep/er/1.webp", "a", None),
        ("b/1.gif", "b", None),
        ("b/2.jpg", "b", None),
    ]


def test_other_files_are_counted_and_hidden_folders_passed_over(tmp_path):
    source = make(
        tmp_path, "a/1.jpg", "a/notes.txt", "a/.hidden.jpg", "b/1.jpg", "b/Thumbs.db", ".git/x.jpg"
    )
    make(tmp_path, "__MACOSX/a/1.jpg", "a/.thumbnails/1.jpg")
    assert source.listing().ignored == 3
    assert len(source.photos()) == 2


def test_photos_in_no_class_folder_are_counted(tmp_path):
    source = make(tmp_path, "train/a/1.jpg", "train/b/1.jpg", "train/loose.jpg", "LICENSE.txt")
    assert source.listing().ignored == 2
    assert len(source.photos()) == 2


@pytest.mark.parametrize("validation", ["validation", "val", "valid"])
def test_split_folders(tmp_path, validation):
    source = make(
        tmp_path, "train/a/1.jpg", "train/b/1.jpg", f"{validation}/a/2.jpg", "Test/b/3.jpg"
    )
    assert sorted(listed(source)) == [
        ("Test/b/3.jpg", "b", "test"),
        ("train/a/1.jpg", "a", "train"),
        ("train/b/1.jpg", "b", "train"),
        (f"{validation}/a/2.jpg", "a", "validation"),
    ]


def test_photos_of_trains_are_a_class(tmp_path):
    source = make(tmp_path, "plane/1.jpg", "train/1.jpg", "train/sub/2.jpg")
    assert {label for _, label, _ in listed(source)} == {"plane", "train"}


def test_a_class_folder_may_be_a_link(tmp_path):
    make(tmp_path / "elsewhere", "1.jpg")
    source = make(tmp_path / "photos", "a/1.jpg")
    (tmp_path / "photos" / "b").symlink_to(tmp_path / "elsewhere")
    assert {label for _, label, _ in listed(source)} == {"a", "b"}


@pytest.mark.parametrize(
    ("files", "what"),
    [
        ([], "no classes"),
        (["1.jpg", "2.jpg"], "no classes"),
        (["a/notes.txt"], "no classes"),
        (["a/1.jpg"], "one class only: a"),
        (["a/1.jpg", "b/1.jpg", "c/notes.txt", "d/e.txt"], "a class has no photos: c, d"),
        (["train/a/1.jpg", "val/a/1.jpg", "dev/a/1.jpg"], "no split has the name dev"),
        (["validation/a/1.jpg", "test/b/1.jpg"], "there is no train/"),
        (["test/a/1.jpg", "test/b/1.jpg"], "there is no train/"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, files, what):
    with pytest.raises(DataError, match=what) as raised:
        make(tmp_path, *files).photos()
    assert str(tmp_path) in str(raised.value)
    assert raised.value.hint


def test_the_folder_above_leads_to_the_right_one(tmp_path):
    source = make(tmp_path, "flower_photos/a/1.jpg", "flower_photos/b/1.jpg")
    with pytest.raises(DataError) as raised:
        source.photos()
    assert raised.value.hint == f"did you mean data.source={tmp_path / 'flower_photos'}?"


def test_a_folder_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        FolderSource(tmp_path / "absent").photos()


def test_the_real_flowers(flower_photos):
    listing = FolderSource(flower_photos).listing()
    labels = [photo.label for photo in listing.photos]
    counts = {label: labels.count(label) for label in sorted(set(labels))}
    assert counts == {
        "daisy": 633,
        "dandelion": 898,
        "roses": 641,
        "sunflowers": 699,
        "tulips": 799,
    }
    assert listing.ignored == 0
