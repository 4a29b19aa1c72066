"""Whatever happens to the files, wrong numbers never come out: what is damaged is made anew."""

from __future__ import annotations

import errno
import json
import shutil
from dataclasses import asdict

import numpy as np
import pytest
from tiny_activations import ROW_BYTES, SHAPE, contents, expected, flip, key, shards

from tlsearch.errors import HomeError
from tlsearch.store.files import write_sealed
from tlsearch.store.store import ActivationStore

PHOTOS = contents(12)
"""Three shards of four."""


@pytest.fixture
def filled(store):
    """The folder of an entry that an earlier process filled."""
    with store.open(key()) as entry:
        entry.fill(PHOTOS, SHAPE, expected)
        return entry.folder


@pytest.fixture
def fresh(filled, folder):
    """Opens the store as a new process would."""
    return lambda: ActivationStore(folder, 10**9).open(key())


def _photos_of(about):
    return json.loads(about.read_text().splitlines()[1])["contents"]


def _assert_sound(entry):
    entry.fill(PHOTOS, SHAPE, expected)
    received = entry.rows(PHOTOS).read()
    assert np.array_equal(received, expected(PHOTOS).astype(np.float16))
    assert len(list(entry.folder.glob("shard-*"))) == 2 * len(shards(entry.folder))


def _truncate(file):
    file.write_bytes(file.read_bytes()[:-1])


def _append(file):
    file.write_bytes(file.read_bytes() + b"\0")


def _empty(file):
    file.write_bytes(b"")


def _zero(file):
    """As a crash of the machine may leave it."""
    file.write_bytes(bytes(file.stat().st_size))


def _remove(file):
    file.unlink()


@pytest.mark.parametrize("damage", [flip, _truncate, _append, _empty, _zero, _remove])
@pytest.mark.parametrize("suffix", [".rows", ".json"])
def test_a_damaged_shard_is_made_anew_and_no_other(filled, fresh, damage, suffix):
    about = shards(filled)[1]
    lost = _photos_of(about)
    damage(about.with_suffix(suffix))
    with fresh() as entry:
        assert sorted(entry.missing(PHOTOS)) == sorted(lost)
        with pytest.raises(KeyError):
            entry.rows(PHOTOS)
        assert about not in shards(filled)
        _assert_sound(entry)


def test_any_flipped_byte_is_found(filled, fresh):
    """In the rows, the digests, the checksum, the shape or the braces of the text."""
    about = shards(filled)[0]
    kept = {file: file.read_bytes() for file in (about, about.with_suffix(".rows"))}
    rng = np.random.default_rng(0)
    for file, data in kept.items():
        for position in rng.choice(len(data), 40, replace=False):
            flip(file, position)
            with fresh() as entry:
                missing = entry.missing(PHOTOS)
                intact = [photo for photo in PHOTOS if photo not in missing]
                received = entry.rows(intact).read()
            assert len(missing) == 4, f"byte {position} of {file.name}"
            assert np.array_equal(received, expected(intact).astype(np.float16))
            for each, content in kept.items():
                each.write_bytes(content)


@pytest.mark.parametrize("damage", [flip, _truncate, _empty, _zero, _remove])
def test_an_entry_that_nothing_describes_is_made_anew(filled, fresh, damage):
    damage(filled / "entry.json")
    with fresh() as entry:
        assert entry.missing(PHOTOS) == PHOTOS
        assert entry.shape is None
        _assert_sound(entry)
        assert entry.shape == SHAPE


def test_rows_of_another_shape_than_the_description_says(filled, fresh):
    write_sealed(filled / "entry.json", {"key": asdict(key()), "shape": [7]})
    with fresh() as entry:
        assert entry.missing(PHOTOS) == PHOTOS
        _assert_sound(entry)


def test_damaged_facts_are_no_facts(filled, fresh):
    with fresh() as entry:
        entry.note({"a": 1})
        flip(filled / "facts.json", 12)
        assert entry.facts == {}
        entry.note({"a": 2})
        assert entry.facts == {"a": 2}


def test_a_description_of_another_entry_is_not_believed(filled, store):
    with store.open(key(cut="other")) as other:
        shutil.copytree(filled, other.folder, dirs_exist_ok=True)
        assert other.missing(PHOTOS) == PHOTOS


def test_what_a_killed_writer_left_is_removed_by_the_next(filled, fresh):
    (filled / "shard-1.rows").write_bytes(bytes(100))
    (filled / "shard-2.rows.partial").write_bytes(bytes(100))
    (filled / "shard-2.json.partial").write_bytes(b"{")
    with fresh() as entry:
        assert entry.missing(PHOTOS) == []
        entry.fill(contents(13), SHAPE, expected)
        _assert_sound(entry)


def test_each_shard_is_checked_once_for_a_process(filled, folder, monkeypatch):
    checked = []

    def count(file):
        checked.append(file)
        return checksum(file)

    from tlsearch.store.shard import _checksum as checksum

    monkeypatch.setattr("tlsearch.store.shard._checksum", count)
    store = ActivationStore(folder, 10**9)
    for _ in range(3):
        with store.open(key()) as entry:
            entry.rows(PHOTOS[:1])
            entry.rows(PHOTOS)
    assert len(checked) == len(set(checked)) == 3


def test_too_many_open_files_are_no_damage(filled, fresh, monkeypatch):
    def refuse(file):
        raise OSError(errno.EMFILE, "Too many open files")

    with fresh() as entry:
        monkeypatch.setattr("tlsearch.store.shard._checksum", refuse)
        with pytest.raises(HomeError, match="Too many"):
            entry.missing(PHOTOS)
        monkeypatch.undo()
        assert entry.missing(PHOTOS) == []


def test_a_shard_that_is_cut_short_while_in_use_is_an_error(filled, fresh):
    with fresh() as entry:
        rows = entry.rows(PHOTOS)
        for about in shards(filled):
            with about.with_suffix(".rows").open("r+b") as opened:
                opened.truncate(ROW_BYTES // 2)
        with pytest.raises(HomeError, match="vanished"):
            rows.take(np.array([0]))
    with fresh() as entry:
        assert entry.missing(PHOTOS) == PHOTOS
        _assert_sound(entry)


def test_shards_that_are_removed_while_in_use(filled, fresh):
    with fresh() as entry:
        rows = entry.rows(PHOTOS)
        for about in shards(filled):
            about.with_suffix(".rows").unlink()
            about.unlink()
        with pytest.raises(HomeError, match="run the same command again"):
            rows.read()
        assert entry.missing(PHOTOS) == PHOTOS
        _assert_sound(entry)


def test_verify_finds_what_is_damaged(filled, store):
    before = store.verify()
    assert (before.intact, before.damaged) == (3, 0)
    assert before.bytes_ == 12 * ROW_BYTES
    flip(shards(filled)[0].with_suffix(".rows"))
    flip(shards(filled)[1])
    found = store.verify()
    assert (found.intact, found.damaged, found.bytes_) == (1, 2, 4 * ROW_BYTES)
    assert store.verify().damaged == 0
    with store.open(key()) as entry:
        assert len(entry.missing(PHOTOS)) == 8
        _assert_sound(entry)


def test_verify_removes_an_entry_that_nothing_describes(filled, store):
    flip(filled / "entry.json")
    found = store.verify()
    assert (found.intact, found.damaged) == (0, 3)
    assert not filled.exists()
