"""From a folder to a data set: counts, order, digest, what is left out and what is refused."""

from __future__ import annotations

import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tlsearch.config.schema import Data
from tlsearch.data.dataset import Dataset, pixel_store, prepare
from tlsearch.data.photo import read_photo
from tlsearch.errors import DataError
from tlsearch.paths import Paths

SIZE = 16


@pytest.fixture
def paths(tmp_path):
    return Paths(tmp_path / "home")


@pytest.fixture
def folder(tmp_path):
    """Two classes of 40 photos."""
    for label, seed in (("a", 1), ("b", 2)):
        (tmp_path / "photos" / label).mkdir(parents=True)
        random = np.random.default_rng(seed)
        for number in range(40):
            values = random.integers(0, 256, (8, 8, 3), np.uint8)
            Image.fromarray(values).save(tmp_path / "photos" / label / f"{number:02d}.png")
    return tmp_path / "photos"


def data_of(folder, **options):
    split = {"train": 0.5, "validation": 0.25, "test": 0.25}
    return Data(source=str(folder), split=split, **options)


def test_what_a_data_set_holds(folder, paths):
    data = prepare(data_of(folder), paths, SIZE)
    assert data.classes == ("a", "b")
    assert data.labels.dtype == np.int64
    assert len(data.paths) == len(data.contents) == len(data.labels) == 80
    assert np.bincount(data.labels).tolist() == [40, 40]
    assert np.sort(np.concatenate(list(data.splits.values()))).tolist() == list(range(80))
    assert list(data.splits) == ["train", "validation", "test"]
    assert {rows.dtype for rows in data.splits.values()} == {np.dtype(np.int64)}
    assert (data.unreadable, data.warnings, data.source) == ((), (), str(folder))


def test_labels_contents_and_pixels_belong_together(folder, paths):
    data = prepare(data_of(folder), paths, SIZE)
    store = pixel_store(paths, SIZE)
    for row, label, path in zip(store.rows(data.contents), data.labels, data.paths, strict=True):
        assert f"/{data.classes[label]}/" in path
        assert np.array_equal(store.pixels[row], read_photo(Path(path), SIZE))


def test_counts_are_a_table(folder, paths):
    data = prepare(data_of(folder), paths, SIZE)
    counts = data.counts()
    assert counts.index.tolist() == ["a", "b"]
    assert counts.columns.tolist() == ["train", "validation", "test"]
    assert counts.sum(axis=1).tolist() == [40, 40]
    assert counts["test"].sum() == len(data.splits["test"])


def equal(one: Dataset, other: Dataset):
    return (
        (one.digest, one.contents, one.classes) == (other.digest, other.contents, other.classes)
        and np.array_equal(one.labels, other.labels)
        and all(np.array_equal(one.splits[name], other.splits[name]) for name in one.splits)
    )


def test_again_renamed_elsewhere_and_at_another_size_it_is_the_same(folder, paths, tmp_path):
    first = prepare(data_of(folder), paths, SIZE)
    assert equal(prepare(data_of(folder), paths, SIZE), first)
    assert equal(prepare(data_of(folder), paths, SIZE * 2), first)
    moved = folder.rename(tmp_path / "moved")
    (moved / "a" / "00.png").rename(moved / "a" / "zz.png")
    assert equal(prepare(data_of(moved), Paths(tmp_path / "other"), SIZE), first)


def test_it_travels_between_processes(folder, paths):
    data = prepare(data_of(folder), paths, SIZE)
    assert equal(pickle.loads(pickle.dumps(data)), data)


def test_a_photo_more_makes_another_digest_and_moves_none(folder, paths):
    first = prepare(data_of(folder), paths, SIZE)
    Image.new("RGB", (8, 8), "red").save(folder / "a" / "new.png")
    second = prepare(data_of(folder), paths, SIZE)
    assert second.digest != first.digest

    def places(data):
        return {data.contents[row]: name for name, rows in data.splits.items() for row in rows}

    assert places(first).items() <= places(second).items()


def test_a_second_time_nothing_is_decoded(folder, paths):
    prepare(data_of(folder), paths, SIZE)
    file = pixel_store(paths, SIZE).folder / "pixels.bin"
    before = file.stat().st_mtime_ns
    prepare(data_of(folder), paths, SIZE)
    assert file.stat().st_mtime_ns == before


def test_unreadable_photos_are_left_out_up_to_a_limit(folder, paths):
    (folder / "a" / "00.png").write_bytes(b"no photo")
    with pytest.raises(DataError) as raised:
        prepare(data_of(folder), paths, SIZE)
    message = str(raised.value)
    assert "1 of 80 photos are unreadable (1.25%)" in message
    assert f"{folder / 'a' / '00.png'}: not a picture" in message
    assert "data.max_unreadable=0.02" in raised.value.hint
    data = prepare(data_of(folder, max_unreadable=0.02), paths, SIZE)
    assert [(photo.path, photo.reason[:13]) for photo in data.unreadable] == [
        (str(folder / "a" / "00.png"), "not a picture")
    ]
    assert len(data.contents) == 79
    assert data.warnings == ("unreadable photos left out: 1",)


def test_a_dangling_link_is_unreadable(folder, paths):
    (folder / "a" / "link.png").symlink_to(folder / "absent.png")
    data = prepare(data_of(folder, max_unreadable=0.1), paths, SIZE)
    assert [photo.reason for photo in data.unreadable] == ["No such file or directory"]


def test_every_photo_unreadable_whatever_the_limit(folder, paths):
    for file in folder.rglob("*.png"):
        file.write_bytes(file.name.encode())
    with pytest.raises(DataError, match="every photo is unreadable") as raised:
        prepare(data_of(folder, max_unreadable=1), paths, SIZE)
    assert "and 70 more" in str(raised.value)


def test_a_class_that_loses_its_last_photos_to_damage(folder, paths):
    for number in range(38):
        (folder / "b" / f"{number:02d}.png").write_bytes(b"%d" % number)
    with pytest.raises(DataError, match="b in "):
        prepare(data_of(folder, max_unreadable=0.9), paths, SIZE)


def test_fewer_photos_than_splits(folder, paths):
    for file in sorted((folder / "b").iterdir())[2:]:
        file.unlink()
    with pytest.raises(DataError, match=r"b: train \d, validation \d, test \d"):
        prepare(data_of(folder), paths, SIZE)


def test_copies_are_reported(folder, paths):
    shutil.copy(folder / "a" / "00.png", folder / "a" / "copy.png")
    shutil.copy(folder / "a" / "01.png", folder / "b" / "wrong.png")
    (folder / "b" / "notes.txt").touch()
    data = prepare(data_of(folder), paths, SIZE)
    passed_over, doubtful, copies = data.warnings
    assert re.fullmatch(r"files passed over \(.*\): 1", passed_over)
    assert "one photo is there with more than one label" in doubtful
    assert str(folder / "b" / "wrong.png") in doubtful
    assert "2 photos are there more than once" in copies


def test_leaks_between_named_splits_are_reported(folder, paths, tmp_path):
    for split in ("train", "validation", "test"):
        shutil.copytree(folder, tmp_path / "named" / split)
    data = prepare(data_of(tmp_path / "named"), paths, SIZE)
    assert {len(rows) for rows in data.splits.values()} == {80}
    assert "80 photos are there in more than one split" in data.warnings[0]


def test_generated_photos(paths):
    data = Data(source="generated:flowers", generated={"photos_per_class": 40, "size": 32})
    prepared = prepare(data, paths, SIZE)
    assert prepared.counts().sum(axis=1).tolist() == [40] * 5
    assert prepared.warnings == ()


FLOWERS = """
import sys
from pathlib import Path
from tlsearch.config.schema import Data
from tlsearch.data.dataset import prepare
from tlsearch.paths import Paths

data = prepare(Data(source=sys.argv[1]), Paths(Path(sys.argv[2])), 160)
print(len(data.contents), len(data.classes), len(data.unreadable))
print(*data.counts().sum(axis=1))
# Not ru_maxrss: that begins with the peak of the process that started this one.
status = Path("/proc/self/status").read_text().split()
print(int(status[status.index("VmHWM:") + 1]) // 1024)
"""


def test_the_real_flowers(flower_photos, tmp_path):
    """In a process of its own: 3,670 photos of 160 px are 269 MiB, and are never all in memory."""
    command = [sys.executable, "-c", FLOWERS, str(flower_photos), str(tmp_path / "home")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    totals, classes, mebibytes = done.stdout.splitlines()
    assert totals == "3670 5 0"
    assert classes == "633 898 641 699 799"
    assert int(mebibytes) < 250
