"""What the tracker has not confirmed yet: an append-only log on disk, one for each supervisor.

A spool is `ID.jsonl`: one record a line, with its number. Beside it lie `ID.lock`, held by whoever
writes or replays it, which a process that dies lets go of, and `ID.confirmed`: how far the
tracker has it. What is appended is in the system's hands when `append` returns, so that a killed
process loses nothing; a thread brings it to the disk, so that nobody waits for that.
"""

from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from tlsearch.files import sync
from tlsearch.tracking.records import AnyRecord, FilesWritten, SweepOpened, read_record

GATHERED = 1.0
"""Seconds for which lines are gathered before they are brought to the disk together."""


class Spool:
    """The writing end. Any thread may append.

    Args:
        file: made anew; `SpoolFile` names it.
        opened: the first record.
    """

    def __init__(self, file: Path, opened: SweepOpened) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self.file = file
        self._opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND)
        self._lock = threading.Lock()
        self._size = self._count = 0
        self._dirty, self._hurry, self._closing = (threading.Event() for _ in range(3))
        self._failure: OSError | None = None
        self.append(opened)
        sync(file.parent)
        self._syncing = threading.Thread(target=self._sync, name="spool", daemon=True)
        self._syncing.start()

    def append(self, record: AnyRecord, *, hurry: bool = False) -> None:
        """Write a record down.

        Args:
            hurry: bring it to the disk as soon as may be; this call does not wait for that.

        Raises:
            OSError: it cannot be written; nothing of it is left. Or what was written before could
                not be brought to the disk.
            ValueError: the spool is closed.
        """
        self._append(record)
        self._dirty.set()
        if hurry:
            self._hurry.set()

    @property
    def count(self) -> int:
        """How many records it has."""
        return self._count

    def _append(self, record: AnyRecord) -> None:
        with self._lock:
            if self._failure is not None:
                raise self._failure
            # The descriptor's number may be another file's by now.
            if self._closing.is_set():
                raise ValueError(f"a record for a spool that is closed: {self.file}")
            text = record.model_dump_json(exclude_defaults=True)
            start = f'{{"seq":{self._count + 1},"kind":"{record.kind}",'
            self._write((start + text[1:] + "\n").encode())
            self._count += 1

    def close(self) -> None:
        """Bring the rest to the disk. Records of other threads that come later are an error."""
        with self._lock:
            self._closing.set()
        self._hurry.set()
        self._dirty.set()
        self._syncing.join()
        os.close(self._opened)
        if self._failure is not None:
            raise self._failure

    def _write(self, line: bytes) -> None:
        try:
            written = os.write(self._opened, line)
        except OSError:
            os.ftruncate(self._opened, self._size)
            raise
        if written < len(line):
            os.ftruncate(self._opened, self._size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.file))
        self._size += written

    def _sync(self) -> None:
        while not (self._closing.is_set() and not self._dirty.is_set()):
            self._dirty.wait()
            self._hurry.wait(GATHERED)
            self._hurry.clear()
            self._dirty.clear()
            try:
                os.fsync(self._opened)
            except OSError as error:
                self._failure = error
                return


@dataclass(frozen=True)
class Confirmed:
    """How far a store has a spool.

    Args:
        store: which one.
        position: bytes.
        records: lines.
        parent: the sweep's run there.
    """

    store: str = ""
    position: int = 0
    records: int = 0
    parent: str = ""


@dataclass(frozen=True)
class SpoolFile:
    """The reading end of a spool, and what lies beside it. `path` is the `.jsonl`."""

    path: Path

    @property
    def lock(self) -> Path:
        return self.path.with_suffix(".lock")

    @property
    def _confirmed(self) -> Path:
        return self.path.with_suffix(".confirmed")

    def confirmed(self, store: str) -> Confirmed:
        """How far this store has it. A file that cannot be read confirms nothing: what is sent
        again is compared with what is there."""
        try:
            found = Confirmed(**json.loads(self._confirmed.read_bytes()))
        except (OSError, ValueError, TypeError):
            return Confirmed(store)
        return found if found.store == store else Confirmed(store)

    def confirm(self, confirmed: Confirmed) -> None:
        """Note how far it is told; whole or not at all where a process is killed."""
        written = self._confirmed.with_suffix(".writing")
        written.write_text(json.dumps(asdict(confirmed)))
        written.replace(self._confirmed)

    def read(self, position: int, limit: int) -> tuple[list[AnyRecord], int, int]:
        """The next records, the position after them, and how many lines that is.

        A damaged line is passed over; the last one, if it is torn, is not read.

        Args:
            position: where to begin, in bytes.
            limit: the most lines to read.
        """
        records: list[AnyRecord] = []
        lines = 0
        with self.path.open("rb") as file:
            file.seek(position)
            while lines < limit and (line := file.readline()).endswith(b"\n"):
                position, lines = position + len(line), lines + 1
                try:
                    records.append(read_record(line))
                except ValueError:
                    continue
        return records, position, lines

    def all(self) -> list[AnyRecord]:
        """Every record; none where another process has told and removed it meanwhile."""
        try:
            return self.read(0, _ALL)[0]
        except FileNotFoundError:
            return []

    def opened(self) -> SweepOpened | None:
        """Its first record; None if its supervisor was killed before that was written, or where
        another process has told and removed it meanwhile."""
        try:
            records, _, _ = self.read(0, 1)
        except FileNotFoundError:
            return None
        first = records[0] if records else None
        return first if isinstance(first, SweepOpened) else None

    def left(self, store: str) -> int:
        """How many records this store does not have yet; none of one that was removed."""
        try:
            return self.read(self.confirmed(store).position, _ALL)[2]
        except FileNotFoundError:
            return 0

    def remove(self) -> None:
        """Remove all of it, the lock last."""
        self.path.unlink(missing_ok=True)
        self._confirmed.unlink(missing_ok=True)
        self.lock.unlink(missing_ok=True)


_ALL = 2**63


def spools(folder: Path) -> list[SpoolFile]:
    """The spools in a sweep's folder for them, the one that was written to last last."""
    found = []
    for path in folder.glob("*.jsonl"):
        # Whoever replays one removes it when all is told.
        with suppress(FileNotFoundError):
            found.append((path.stat().st_mtime_ns, path))
    return [SpoolFile(path) for _, path in sorted(found)]


def spools_of(folder: Path, study: str) -> list[SpoolFile]:
    """Those that tell of one study: one that was set aside may have left others, whose trials have
    the same numbers."""
    told = [(file, file.opened()) for file in spools(folder)]
    return [file for file, opened in told if opened is not None and opened.study == study]


def written_folders(files: Iterable[SpoolFile]) -> set[str]:
    """The folders with files that these spools tell of, as seen from the sweep's."""
    return {one.folder for file in files for one in file.all() if isinstance(one, FilesWritten)}


@contextmanager
def hold(spool: SpoolFile) -> Iterator[bool]:
    """Keep others from replaying a spool while the block runs; False if somebody else does."""
    import filelock

    spool.path.parent.mkdir(parents=True, exist_ok=True)
    # Another thread than the one that took it may let go of it.
    lock = filelock.FileLock(spool.lock, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except filelock.Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
