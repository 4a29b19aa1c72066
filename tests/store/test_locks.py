"""Leases, where two processes meet at the worst moment."""

from __future__ import annotations

import fcntl

import pytest

from tlsearch.store import locks


@pytest.fixture
def folder(tmp_path):
    """Of an entry that nobody uses."""
    locks.lease(tmp_path / "entry").close()
    return tmp_path / "entry"


@pytest.fixture
def meanwhile(monkeypatch):
    """Has something happen after the lock file was opened, before it is locked this way."""

    def arrange(operation, happen):
        flock, waiting = fcntl.flock, [happen]

        def flock_later(opened, wanted):
            if wanted & operation and waiting:
                waiting.pop()()
            return flock(opened, wanted)

        monkeypatch.setattr(fcntl, "flock", flock_later)

    return arrange


def test_an_entry_that_is_evicted_while_it_is_being_opened(folder, meanwhile):
    meanwhile(fcntl.LOCK_SH, lambda: locks.remove_unused(folder))
    taken = locks.lease(folder)
    assert folder.is_dir()
    assert locks.is_used(folder)
    assert not locks.remove_unused(folder)
    taken.close()
    assert not locks.is_used(folder)


def test_an_entry_that_is_evicted_while_it_is_being_looked_at(folder, meanwhile):
    meanwhile(fcntl.LOCK_SH, lambda: locks.remove_unused(folder))
    assert locks.lease_existing(folder) is None
    assert not folder.exists()


def test_an_entry_that_another_has_evicted_and_a_third_has_made_anew(folder, meanwhile):
    taken = []

    def happen():
        assert locks.remove_unused(folder)
        taken.append(locks.lease(folder))

    meanwhile(fcntl.LOCK_EX, happen)
    assert not locks.remove_unused(folder)
    assert folder.is_dir()
    assert locks.is_used(folder)


def test_what_is_not_there(tmp_path):
    assert locks.lease_existing(tmp_path / "none") is None
    assert not locks.is_used(tmp_path / "none")
    assert not locks.remove_unused(tmp_path / "none")
    assert locks.last_used(tmp_path / "none") == 0.0


def test_a_lease_is_given_back_once(folder):
    taken = locks.lease(folder)
    before = locks.last_used(folder)
    taken.touch()
    assert locks.last_used(folder) > before
    taken.close()
    taken.close()
    taken.touch()
    assert locks.remove_unused(folder)
    assert list(folder.parent.iterdir()) == []
