"""The faults strike where they are asked for, once, and nowhere else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from faults import calls, count, environment, has_struck, kill, refuse

WRITE = "from pathlib import Path; from tlsearch.files import write_whole, sync; "


def _run(code, **extra):
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **extra},
        capture_output=True,
        text=True,
    )


def _write(folder, name="a"):
    return f"write_whole(Path({str(folder / name)!r}), b'new'); print('written', flush=True); "


@pytest.mark.parametrize(("when", "is_there"), [("before", False), ("after", True)])
def test_a_kill_before_and_after_a_function(tmp_path, when, is_there):
    faults = environment(tmp_path / "f", kill("tlsearch.files:write_whole", when))
    done = _run(WRITE + _write(tmp_path), **faults)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "")
    assert (tmp_path / "a").exists() == is_there
    assert has_struck(tmp_path / "f")


def test_the_nth_call_and_only_once(tmp_path):
    faults = environment(tmp_path / "f", kill("tlsearch.files:keep", nth=2))
    code = WRITE + _write(tmp_path, "a") + _write(tmp_path, "b")
    done = _run(code, **faults)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "written\n")
    assert _run(code, **faults).stdout == "written\nwritten\n"


def test_methods_and_class_methods(tmp_path):
    code = (
        "from tlsearch.paths import Paths; p = Paths.from_environment(); print('made', flush=True);"
        "p.create()"
    )
    home = {"TLSEARCH_HOME": str(tmp_path / "home")}
    first = environment(tmp_path / "f", kill("tlsearch.paths:Paths.from_environment"))
    assert _run(code, **home, **first).stdout == ""
    second = environment(tmp_path / "g", kill("tlsearch.paths:Paths.create", "after"))
    done = _run(code, **home, **second)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "made\n")
    assert (tmp_path / "home").is_dir()


def test_another_kind_of_process_is_left_alone(tmp_path):
    faults = environment(tmp_path / "f", kill("tlsearch.files:write_whole", process="worker"))
    assert _run(WRITE + _write(tmp_path), **faults).stdout == "written\n"
    assert not has_struck(tmp_path / "f")


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_the_nth_write_fails(tmp_path, nth):
    """A file is opened, synced and renamed."""
    home = tmp_path / "home"
    home.mkdir()
    faults = environment(tmp_path / "f", refuse(home, nth))
    done = _run(WRITE + _write(home), **faults)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert list(home.iterdir()) == []


def test_there_is_no_fourth_write(tmp_path):
    faults = environment(tmp_path / "f", refuse(tmp_path, 4))
    assert _run(WRITE + _write(tmp_path), **faults).stdout == "written\n"
    assert not has_struck(tmp_path / "f")


def test_elsewhere_writes_do_not_count(tmp_path):
    (tmp_path / "home").mkdir()
    faults = environment(tmp_path / "f", refuse(tmp_path / "home", 1))
    assert _run(WRITE + _write(tmp_path), **faults).stdout == "written\n"


def test_a_disk_that_stays_full(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    faults = environment(tmp_path / "f", refuse(home, 4, lasting=True))
    code = WRITE + _write(home, "a") + "\ntry:\n " + _write(home, "b")
    code += f"\nexcept OSError:\n Path({str(home / 'c')!r}).write_text('c')"
    done = _run(code, **faults)
    assert (done.returncode, done.stdout) == (1, "written\n")
    assert [path.name for path in home.iterdir()] == ["a"]


def test_calls_are_counted_in_all_processes(tmp_path):
    counted = environment(tmp_path / "f", count("tlsearch.files:keep", tmp_path / "calls"))
    assert calls(tmp_path / "calls") == 0
    for name in ("a", "b"):
        assert _run(WRITE + _write(tmp_path, name), **counted).returncode == 0
    assert calls(tmp_path / "calls") == 2


def test_without_faults_nothing_is_changed(tmp_path):
    faults = environment(tmp_path / "f")
    code = "import builtins, io; print(builtins.open is io.open)"
    assert _run(code, **faults).stdout == "True\n"
