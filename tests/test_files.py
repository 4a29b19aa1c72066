"""Files and folders take their names whole, once they are on the disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tlsearch import files


def _names(folder):
    return [path.name for path in folder.iterdir()]


@pytest.fixture
def synced(monkeypatch):
    """The paths that were brought to the disk, in order."""
    done, real = [], os.fsync

    def fsync(number):
        done.append(str(Path(f"/proc/self/fd/{number}").readlink()))
        real(number)

    monkeypatch.setattr(os, "fsync", fsync)
    return done


def test_a_file_is_whole(tmp_path, synced):
    files.write_whole(tmp_path / "a", b"one")
    files.write_whole(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"two"
    assert _names(tmp_path) == ["a"]
    assert synced == [str(tmp_path / "a.partial")] * 2


def test_a_failure_leaves_the_old_file(tmp_path, monkeypatch):
    files.write_whole(tmp_path / "a", b"one")
    monkeypatch.setattr(os, "fsync", lambda number: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        files.write_whole(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"one"
    assert _names(tmp_path) == ["a"]


def test_a_folder_is_on_the_disk_before_it_has_its_name(tmp_path, synced):
    with files.replace_folder(tmp_path / "deep" / "b") as new:
        (new / "inner").mkdir()
        (new / "inner" / "a").write_bytes(b"one")
        inside = {str(new), str(new / "inner"), str(new / "inner" / "a")}
    assert set(synced[:-1]) == inside
    assert synced[-1] == str(tmp_path / "deep")
    assert _names(tmp_path / "deep") == ["b"]
    assert (tmp_path / "deep" / "b" / "inner" / "a").read_bytes() == b"one"


@pytest.mark.parametrize("when", ["in the block", "on the way to the disk", "at the rename"])
def test_a_failure_leaves_the_old_folder(tmp_path, monkeypatch, when):
    folder = tmp_path / "b"
    folder.mkdir()
    (folder / "a").write_bytes(b"old")
    real = type(folder).rename

    def rename(self, target):
        if self.name == "new":
            raise OSError("no")
        return real(self, target)

    def fill():
        with files.replace_folder(folder) as new:
            (new / "a").write_bytes(b"new")
            if when == "in the block":
                raise OSError("no")

    if when == "on the way to the disk":
        monkeypatch.setattr(files, "sync", lambda place: (_ for _ in ()).throw(OSError("no")))
    if when == "at the rename":
        monkeypatch.setattr(type(folder), "rename", rename)
    with pytest.raises(OSError, match="no"):
        fill()
    assert (folder / "a").read_bytes() == b"old"
    assert _names(tmp_path) == ["b"]


KILLED = """
import os, signal, sys
from pathlib import Path
from tlsearch import files

real = Path.rename

def rename(self, target):
    if self.name == "new":
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, target)

Path.rename = rename
with files.replace_folder(Path(sys.argv[1])) as new:
    (new / "a").write_bytes(b"half")
    if sys.argv[2] == "in the block":
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("when", ["in the block", "between the renames"])
def test_what_a_kill_leaves_is_cleared_up_by_the_next_replacement(tmp_path, when):
    folder = tmp_path / "b[1]"
    folder.mkdir()
    (folder / "a").write_bytes(b"old")
    for _ in range(2):
        killed = subprocess.run([sys.executable, "-c", KILLED, str(folder), when])
        assert killed.returncode == -signal.SIGKILL
        (left,) = {*_names(tmp_path)} - {folder.name}
        assert left.startswith(".")
    with pytest.raises(OSError, match="no"), files.replace_folder(folder):
        raise OSError("no")
    assert _names(tmp_path) == [folder.name]
    assert (folder / "a").read_bytes() == b"old"


def test_a_replacement_that_lives_is_not_cleared_up(tmp_path):
    folder = tmp_path / "b"
    with files.replace_folder(folder) as one:
        with files.replace_folder(folder) as other:
            (other / "a").write_bytes(b"other")
        (one / "a").write_bytes(b"one")
    assert (folder / "a").read_bytes() == b"one"
    assert _names(tmp_path) == ["b"]


def test_what_is_left_of_another_folder_stays(tmp_path):
    (tmp_path / ".b.replaced-x.replaced-abcdefgh").mkdir()
    (tmp_path / ".bb.replaced-abcdefgh").mkdir()
    with files.replace_folder(tmp_path / "b"):
        pass
    assert len(_names(tmp_path)) == 3
