"""A PostgreSQL server for tests: of its own, in a temporary folder, on a free port.

Its programs are looked for on PATH, where `pg_config` says, and where Debian installs them. They
refuse to run as root, who starts them as `nobody` instead.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

DEBIAN = Path("/usr/lib/postgresql")


def programs() -> Path | None:
    """The folder with `initdb` and `pg_ctl`; None if there is none."""
    if found := shutil.which("pg_ctl"):
        return Path(found).resolve().parent
    if config := shutil.which("pg_config"):
        told = subprocess.run([config, "--bindir"], capture_output=True, text=True)
        if (Path(told.stdout.strip()) / "pg_ctl").is_file():
            return Path(told.stdout.strip())
    versions = sorted(DEBIAN.glob("*/bin/pg_ctl"), key=lambda file: int(file.parts[-3]))
    return versions[-1].parent if versions else None


@contextlib.contextmanager
def postgres_server():
    """The address of a running server's database, without its name; the test skips without one."""
    pytest.importorskip("psycopg", reason="no driver: pip install 'tlsearch[postgresql]'")
    place = programs()
    if place is None:
        pytest.skip("no PostgreSQL server here: apt-get install postgresql")
    # Not pytest's folder: `nobody` may not enter it, and a socket's path must be short.
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    owner = _owner(folder)
    data, port = folder / "data", _free_port()
    try:
        _run(owner, place / "initdb", "-D", data, "-U", "tests", "-A", "trust", "-E", "UTF8")
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        log = folder / "server.log"
        _run(owner, place / "pg_ctl", "-D", data, "-l", log, "-o", options, "-w", "start")
        try:
            yield f"postgresql+psycopg://tests@127.0.0.1:{port}"
        finally:
            _run(owner, place / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder)


def empty_database(server: str, name: str) -> str:
    """Make a database on the server; its address."""
    import psycopg

    address = f"{server.replace('+psycopg', '')}/postgres"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{server}/{name}"


def _owner(folder: Path) -> str | None:
    """Who runs the server: `nobody` for root, to whom the folder then belongs."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return "nobody"


def _run(owner: str | None, program: Path, *arguments: object) -> None:
    subprocess.run(
        [program, *map(str, arguments)],
        check=True,
        user=owner,
        group=None if owner is None else pwd.getpwnam(owner).pw_gid,
        extra_groups=None if owner is None else [],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
    )


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
