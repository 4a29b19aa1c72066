from __future__ import annotations

import hashlib

import numpy as np
import pytest
from peers.photos import count_photos, repeat, split_folders, thin_out
from PIL import Image

from tlsearch.data.photo import read_photo
from tlsearch.errors import DataError


@pytest.fixture
def photos(tmp_path):
    """40 small photos of each of two classes."""
    draw = np.random.default_rng(0)
    for label in ("daisy", "tulip"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(40):
            pixels = draw.integers(0, 255, (16, 16, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / label / f"{number}.jpg")
    return tmp_path / "photos"


def test_every_photo_is_in_one_split(photos, tmp_path):
    split = split_folders(photos, None, tmp_path / "split")
    assert sorted(folder.name for folder in split.iterdir()) == ["test", "train", "validation"]
    names = [file.relative_to(split / file.parts[-3]) for file in split.glob("*/*/*")]
    assert len(names) == len(set(names)) == count_photos(split) == 80


def test_some_photos_keep_the_shares_of_their_classes(photos, tmp_path):
    split = split_folders(photos, 40, tmp_path / "split")
    assert [len(list(split.glob(f"*/{label}/*"))) for label in ("daisy", "tulip")] == [20, 20]


def test_photos_are_taken_evenly(tmp_path):
    listed = [(tmp_path / str(i), "a" if i < 6 else "b") for i in range(9)]
    assert [label for _, label in thin_out(listed, 3)] == ["a", "a", "b"]
    assert thin_out(listed, 100) == listed


def test_copies_show_the_same_and_have_other_content(photos, tmp_path):
    split = split_folders(photos, 40, tmp_path / "split")
    copies = repeat(split, 3, tmp_path / "copies")
    files = list(copies.glob("*/*/*"))
    assert len(files) == count_photos(copies) == 3 * 40
    assert len({hashlib.sha256(file.read_bytes()).digest() for file in files}) == len(files)
    some = next(split.glob("*/*/*"))
    copy = copies / some.parent.relative_to(split) / f"{some.stem}-2.jpg"
    assert np.array_equal(read_photo(some, 16), read_photo(copy, 16))


def test_missing_photos_are_named(tmp_path):
    with pytest.raises(DataError, match="not there"):
        split_folders(tmp_path / "nothing", None, tmp_path / "split")
