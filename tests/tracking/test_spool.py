"""Spools: what is appended stays, whatever kills the process or fills the disk."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading

import pytest

from tlsearch.tracking import spool as module
from tlsearch.tracking.records import (
    BundleMade,
    EpochDone,
    FilesWritten,
    Noted,
    SweepEnded,
    SweepOpened,
    TrialEnded,
    TrialStarted,
    read_record,
)
from tlsearch.tracking.spool import (
    Confirmed,
    Spool,
    SpoolFile,
    hold,
    spools,
    spools_of,
    written_folders,
)
from tlsearch.tracking.tracker import DatasetSummary

DATASET = DatasetSummary("flowers", "0f", "/photos", {"train": {"daisy": 5}})
OPENED = SweepOpened(name="s", experiment="e", study="1", at=1.0, dataset=DATASET)
RECORDS = (
    TrialStarted(trial=0, parameters={"augment": "light", "unfreeze": None, "rate": 0.1}),
    EpochDone(trial=0, epoch=1, metrics={"loss": 0.5}),
    Noted(trial=0, metrics={"total_parameters": 3.0}),
    TrialEnded(trial=0, state="failed", reason='quoted "text"\nin lines', metrics={"loss": 1.0}),
    FilesWritten(trial=None, folder="screening", under="screening"),
    BundleMade(trial=0, folder="bundle", digest="ab", name="flowers", tags={"a": "b"}),
    SweepEnded(state="complete", metrics={"test_accuracy": 0.5}, runs={"tlsearch.champion": 0}),
)


@pytest.fixture
def spool(tmp_path):
    made = Spool(tmp_path / "me.jsonl", OPENED)
    yield made
    made.close()


def test_what_was_written_is_read(spool):
    for record in RECORDS:
        spool.append(record)
    file = SpoolFile(spool.file)
    assert file.all() == [OPENED, *RECORDS]
    assert (file.opened(), spool.count) == (OPENED, 8)
    assert written_folders([file]) == {"screening"}
    lines = spool.file.read_bytes().splitlines()
    assert [line.startswith(b'{"seq":%d,' % number) for number, line in enumerate(lines, 1)]
    assert [read_record(line).kind for line in lines[1:3]] == ["trial_started", "epoch"]


def test_portions_go_on_where_the_last_one_ended(spool):
    for record in RECORDS:
        spool.append(record)
    file, position, seen = SpoolFile(spool.file), 0, []
    while True:
        records, position, lines = file.read(position, 3)
        if not lines:
            break
        seen.append(records)
    assert [len(records) for records in seen] == [3, 3, 2]
    assert sum(seen[1:], seen[0]) == [OPENED, *RECORDS]


@pytest.mark.parametrize("cut", [1, 20, -1])
def test_a_torn_last_line_is_not_read(spool, cut):
    spool.append(RECORDS[0])
    file = SpoolFile(spool.file)
    whole = spool.file.stat().st_size
    spool.append(RECORDS[1])
    os.truncate(spool.file, whole + cut if cut > 0 else spool.file.stat().st_size + cut)
    assert file.read(0, 9) == ([OPENED, RECORDS[0]], whole, 2)


def test_a_damaged_line_is_passed_over(spool):
    for record in RECORDS[:2]:
        spool.append(record)
    data = spool.file.read_bytes().splitlines(keepends=True)
    data[1] = b"\x00" * (len(data[1]) - 1) + b"\n"
    spool.file.write_bytes(b"".join(data))
    records, _, lines = SpoolFile(spool.file).read(0, 9)
    assert (records, lines) == ([OPENED, RECORDS[1]], 3)


def test_a_write_that_fails_half_way_leaves_no_half(spool, monkeypatch):
    spool.append(RECORDS[0])
    before = spool.file.read_bytes()
    write = os.write
    monkeypatch.setattr(module.os, "write", lambda file, line: write(file, line[:10]))
    with pytest.raises(OSError, match="space") as caught:
        spool.append(RECORDS[1])
    assert caught.value.errno == errno.ENOSPC
    monkeypatch.undo()
    assert spool.file.read_bytes() == before
    spool.append(RECORDS[1])
    assert SpoolFile(spool.file).all() == [OPENED, *RECORDS[:2]]


def test_many_threads_write_whole_lines(spool):
    def write():
        for epoch in range(50):
            spool.append(EpochDone(trial=1, epoch=epoch, metrics={"loss": 0.5}))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(SpoolFile(spool.file).all()) == 201


def test_nothing_is_lost_by_a_kill(tmp_path):
    file = tmp_path / "me.jsonl"
    script = (
        "import os, sys; from pathlib import Path\n"
        "from tlsearch.tracking.records import EpochDone, SweepOpened\n"
        "from tlsearch.tracking.spool import Spool\n"
        "spool = Spool(Path(sys.argv[1]), SweepOpened(name='s', experiment='e', study='1'))\n"
        "for epoch in range(100): spool.append(EpochDone(trial=0, epoch=epoch, metrics={}))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(file)])
    assert killed.returncode == -signal.SIGKILL
    assert len(SpoolFile(file).all()) == 101


def test_every_append_comes_to_the_disk(tmp_path, monkeypatch):
    synced = []
    fsync = os.fsync
    monkeypatch.setattr(module.os, "fsync", lambda file: (fsync(file), synced.append(file)))
    spool = Spool(tmp_path / "me.jsonl", OPENED)
    before = len(synced)
    spool.append(RECORDS[0], hurry=True)
    spool.close()
    assert len(synced) > before


def test_a_disk_that_fails_is_told_with_the_next_record(tmp_path, monkeypatch):
    failed = threading.Event()

    def fail(_):
        failed.set()
        raise OSError(errno.EIO, "broken disk")

    spool = Spool(tmp_path / "me.jsonl", OPENED)
    monkeypatch.setattr(module.os, "fsync", fail)
    spool.append(RECORDS[0], hurry=True)
    assert failed.wait(60)
    with pytest.raises(OSError, match="broken disk"):
        spool.close()
    with pytest.raises(OSError, match="broken disk"):
        spool.append(RECORDS[1])


def test_each_store_has_its_own_way_through(spool):
    spool.append(RECORDS[0])
    file = SpoolFile(spool.file)
    assert file.confirmed("here") == Confirmed("here")
    _, position, _ = file.read(0, 1)
    file.confirm(Confirmed("here", position, 1, "parent"))
    assert file.confirmed("here").parent == "parent"
    assert (file.left("here"), file.left("there")) == (1, 2)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"store": 1, "more": 2}'])
def test_a_note_that_cannot_be_read_confirms_nothing(spool, text):
    spool.file.with_suffix(".confirmed").write_text(text)
    assert SpoolFile(spool.file).left("here") == 1


def test_spools_of_a_study_that_was_set_aside_are_told_apart(spool, tmp_path):
    other = Spool(tmp_path / "other.jsonl", OPENED.model_copy(update={"study": "2"}))
    other.close()
    (tmp_path / "torn.jsonl").write_bytes(b'{"seq":1,')
    assert len(spools(tmp_path)) == 3
    assert spools_of(tmp_path, "1") == [SpoolFile(spool.file)]
    assert spools_of(tmp_path, "2") == [SpoolFile(other.file)]


def test_one_process_at_a_time_replays_a_spool(spool):
    file = SpoolFile(spool.file)
    script = (
        "import sys; from pathlib import Path\n"
        "from tlsearch.tracking.spool import SpoolFile, hold\n"
        "with hold(SpoolFile(Path(sys.argv[1]))) as is_free: print(is_free)\n"
    )

    def ask():
        command = [sys.executable, "-c", script, str(spool.file)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    with hold(file) as mine:
        assert mine
        assert ask() == "False\n"
    assert ask() == "True\n"


def test_what_is_removed_is_gone(spool):
    file = SpoolFile(spool.file)
    file.confirm(Confirmed("here"))
    with hold(file):
        assert spools(spool.file.parent) == [file]
        file.remove()
    assert list(spool.file.parent.iterdir()) == []
    assert spools(spool.file.parent) == []
    assert (file.all(), file.opened(), file.left("here")) == ([], None, 0)


def test_what_is_closed_takes_no_records(tmp_path):
    """The number of its descriptor is another file's, as here."""
    spool = Spool(tmp_path / "me.jsonl", OPENED)
    spool.close()
    with (tmp_path / "other").open("wb"):
        with pytest.raises(ValueError, match="closed"):
            spool.append(RECORDS[0])
        assert (tmp_path / "other").stat().st_size == 0
    assert SpoolFile(spool.file).all() == [OPENED]
