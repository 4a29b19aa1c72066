"""Fetching from a real server on this machine: whole files, broken ones, none at all."""

from __future__ import annotations

import hashlib
import io
import socket
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tlsearch.data.archive import ArchiveSource
from tlsearch.data.download import fetch, place_of
from tlsearch.errors import DataError, DownloadError
from tlsearch.paths import Paths


def make_archive():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in ("flowers/a/1.jpg", "flowers/b/1.jpg"):
            info = tarfile.TarInfo(name)
            info.size = 5
            archive.addfile(info, io.BytesIO(b"photo"))
    return buffer.getvalue()


ARCHIVE = make_archive()
SHA256 = hashlib.sha256(ARCHIVE).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Answers by path; counts requests; `/flaky/` fails the first two times."""

    def do_GET(self):
        asked = self.server.asked
        asked.append(self.path)
        if self.path.startswith("/absent/"):
            self.send_error(404)
        elif self.path.startswith("/moved/"):
            self.send_response(302)
            self.send_header("Location", "/whole/flowers.tgz")
            self.end_headers()
        elif self.path.startswith("/flaky/") and len(asked) < 3:
            self.send_error(503)
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(ARCHIVE)))
            self.end_headers()
            torn = self.path.startswith("/torn/")
            self.wfile.write(ARCHIVE[: len(ARCHIVE) // 2] if torn else ARCHIVE)

    def log_message(self, *arguments):
        """Say nothing."""


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.asked = []
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def paths(tmp_path):
    return Paths(tmp_path / "home")


def address(server, path):
    return f"http://127.0.0.1:{server.server_address[1]}/{path}/flowers.tgz"


def left_behind(paths):
    return [path for path in paths.home.rglob("*") if path.is_file() and path.name != ".lock"]


@pytest.mark.parametrize("path", ["whole", "moved", "flaky"])
def test_a_file_is_fetched_once(server, paths, path):
    source = ArchiveSource(address(server, path), SHA256, paths)
    assert [photo.label for photo in source.photos()] == ["a", "b"]
    asked = len(server.asked)
    assert [photo.label for photo in source.photos()] == ["a", "b"]
    assert fetch(address(server, path), None, paths).read_bytes() == ARCHIVE
    assert len(server.asked) == asked


def test_another_checksum_leaves_nothing_behind(server, paths):
    with pytest.raises(DataError, match=SHA256):
        ArchiveSource(address(server, "whole"), "0" * 64, paths).photos()
    assert left_behind(paths) == []


@pytest.mark.parametrize(("path", "asked"), [("absent", 1), ("torn", 3)])
def test_a_failure_leaves_nothing_behind(server, paths, path, asked):
    with pytest.raises(DownloadError):
        fetch(address(server, path), None, paths)
    assert left_behind(paths) == []
    assert len(server.asked) == asked


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_without_a_network_the_message_says_what_to_do(paths):
    unreachable = f"http://127.0.0.1:{free_port()}/flowers.tgz"
    with pytest.raises(DownloadError) as raised:
        ArchiveSource(unreachable, None, paths).photos()
    message = str(raised.value)
    assert raised.value.exit_code == 3
    for part in (
        "flowers.tgz could not be fetched",
        unreachable,
        str(place_of(unreachable, paths)),
        "tlsearch run sweeps/quickstart.yaml",
    ):
        assert part in message
    assert left_behind(paths) == []


def test_a_name_that_nobody_knows(paths):
    with pytest.raises(DownloadError, match=r"nowhere\.invalid"):
        fetch("http://nowhere.invalid/flowers.tgz", None, paths)


def test_a_file_that_was_put_there_by_hand_is_used(paths):
    unreachable = f"http://127.0.0.1:{free_port()}/flowers.tgz"
    place = place_of(unreachable, paths)
    place.parent.mkdir(parents=True)
    place.write_bytes(ARCHIVE)
    photos = ArchiveSource(unreachable, SHA256, paths).photos()
    assert [photo.label for photo in photos] == ["a", "b"]


def test_what_a_killed_process_left_is_written_over(server, paths):
    place = place_of(address(server, "whole"), paths)
    place.parent.mkdir(parents=True)
    place.with_name(f".{place.name}.partial").write_bytes(b"x" * 10_000)
    assert fetch(address(server, "whole"), SHA256, paths).read_bytes() == ARCHIVE
    assert left_behind(paths) == [place]
