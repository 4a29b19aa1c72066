"""Full and read-only disks are told from other errors, and said in words."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from pathlib import Path

import pytest

from tlsearch.disk import Floor, explain_disk, full_disk, is_disk_full, is_disk_locked
from tlsearch.errors import DataError, DiskError, HomeError, SetupError, WeightsError


def _caught(call):
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError("it went well")


def _fill_device():
    with Path("/dev/full").open("wb") as file:
        file.write(b"x")


def _fill_database(tmp_path):
    """SQLite's own error: the database may have no more pages."""
    connection = sqlite3.connect(tmp_path / "small.db")
    connection.execute("PRAGMA max_page_count = 2")
    connection.execute("CREATE TABLE t (x)")
    try:
        connection.execute("INSERT INTO t VALUES (zeroblob(100000))")
    finally:
        connection.close()


def _fill_through_optuna(tmp_path):
    import optuna
    from sqlalchemy import event

    storage = optuna.storages.RDBStorage(f"sqlite:///{tmp_path / 'optuna.db'}")
    study = optuna.create_study(storage=storage)

    def hold(connection, _):
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")

    event.listen(storage.engine, "connect", hold)
    storage.engine.dispose()
    study.set_user_attr("big", "x" * 2_000)
    for number in range(1_000):
        study.set_user_attr(str(number), "x" * 2_000)


def _locked_database(tmp_path):
    sqlite3.connect(tmp_path / "a.db").execute("CREATE TABLE t (x)")
    sqlite3.connect(f"file:{tmp_path / 'a.db'}?mode=ro", uri=True).execute("CREATE TABLE u (x)")


def test_a_full_device():
    assert is_disk_full(_caught(_fill_device))


def test_a_full_database(tmp_path):
    assert is_disk_full(_caught(lambda: _fill_database(tmp_path)))


def test_a_full_database_under_optuna(tmp_path):
    assert is_disk_full(_caught(lambda: _fill_through_optuna(tmp_path)))


def test_a_database_that_may_only_be_read(tmp_path):
    error = _caught(lambda: _locked_database(tmp_path))
    assert is_disk_locked(error)
    assert not is_disk_full(error)


def test_a_quota_and_what_an_error_came_of():
    def fail():
        try:
            raise OSError(errno.EDQUOT, "Disk quota exceeded")
        except OSError as error:
            raise HomeError("the photos cannot be stored") from error

    assert is_disk_full(_caught(fail))


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOENT, "No such file or directory"),
        MemoryError(),
        ValueError("the class is called no space"),
        DataError("a photo is called 'No space left on device.jpg'"),
    ],
)
def test_other_errors_are_no_full_disks(error):
    assert not is_disk_full(error)
    assert not is_disk_locked(error)


def test_an_error_that_was_dealt_with_does_not_count():
    def fail():
        try:
            _fill_device()
        except OSError:
            raise SetupError("something else") from None

    assert not is_disk_full(_caught(fail))


def test_a_full_disk_in_words(tmp_path):
    with pytest.raises(DiskError, match="the disk is full") as refused, explain_disk(tmp_path):
        _fill_database(tmp_path)
    assert refused.value.exit_code == 3
    assert "database or disk is full" in str(refused.value)
    assert "run the same command again: it continues" in str(refused.value)


def test_a_read_only_disk_in_words(tmp_path):
    with pytest.raises(DiskError, match="cannot be written to") as refused, explain_disk(tmp_path):
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "sweeps"))
    assert str(tmp_path / "sweeps") in str(refused.value)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_what_may_not_be_used_outside_the_home_is_named(tmp_path, number):
    place = str(tmp_path / "keras" / "weights.h5")
    outside = pytest.raises(SetupError, match="outside TLSEARCH_HOME")
    with outside as refused, explain_disk(tmp_path / "home"):
        raise OSError(number, "no", place)
    assert not isinstance(refused.value, DiskError)
    assert place in refused.value.received


def test_a_home_behind_a_link_is_the_home(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "home").symlink_to(tmp_path / "real")
    with pytest.raises(DiskError, match="cannot be written to"), explain_disk(tmp_path / "home"):
        raise PermissionError(errno.EACCES, "no", str(tmp_path / "real" / "sweeps"))


def test_a_database_that_may_only_be_read_is_the_home_s(tmp_path):
    with pytest.raises(DiskError, match="cannot be written to"), explain_disk(tmp_path):
        _locked_database(tmp_path)


@pytest.mark.parametrize(("place", "kind"), [("home", DiskError), ("keras", WeightsError)])
def test_an_error_of_ours_that_comes_of_the_home_is_about_the_home(tmp_path, place, kind):
    """The lock of a study says that its database cannot be opened."""
    denied = PermissionError(errno.EACCES, "Permission denied", str(tmp_path / place / "a"))
    with pytest.raises(SetupError) as refused, explain_disk(tmp_path / "home"):
        raise WeightsError("no weights") from denied
    assert type(refused.value) is kind


def test_photos_that_may_not_be_read_stay_an_error_about_photos(tmp_path):
    """Whatever an error of ours comes of, it says itself what is wrong."""
    with pytest.raises(DataError, match="photos") as refused, explain_disk(tmp_path):
        raise DataError("the photos cannot be read") from PermissionError(
            errno.EACCES, "Permission denied", "/photos"
        )
    assert refused.value.exit_code == 2


def test_other_errors_pass(tmp_path):
    with pytest.raises(ValueError, match="ours"), explain_disk(tmp_path):
        raise ValueError("ours")


def test_what_says_which_part_of_the_home_is_meant_stays(tmp_path):
    with pytest.raises(HomeError, match="the store") as refused, explain_disk(tmp_path):
        raise HomeError("the store is full") from OSError(errno.ENOSPC, "No space left on device")
    assert not isinstance(refused.value, DiskError)


def test_a_floor_above_what_is_free(tmp_path):
    free = shutil.disk_usage(tmp_path).free / 10**9
    assert Floor((tmp_path,), free / 2).lacking() is None
    assert Floor((tmp_path,), 0).lacking() is None
    lacking = Floor((tmp_path,), free * 2 + 1).lacking()
    assert lacking is not None
    assert lacking.exit_code == 3
    assert "execution.min_free_gb" in str(lacking)
    assert str(tmp_path) in str(lacking)


def test_folders_that_are_not_there_have_no_floor(tmp_path):
    assert Floor((tmp_path / "none",), 10**9).lacking() is None


def test_the_place_need_not_be_there(tmp_path):
    assert "has 0.0 MB left" not in str(full_disk(tmp_path / "none" / "at all", "full"))
