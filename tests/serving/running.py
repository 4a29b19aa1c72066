"""A real server around a tiny bundle, in a thread, on a port of its own; and raw sockets to it."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import onnx
from tiny_bundle import golden_of, manifest, tiny_model

from serving.http.front import Limits
from serving.model import ModelOptions
from serving.options import ServeOptions
from serving.server import Server, listen
from tlsearch.export.checksums import write_checksums
from tlsearch.export.golden import write_golden

CARD = "# colours\n"


def write_bundle(folder: Path, model=None, **changes) -> Path:
    """A whole bundle, of the tiny model unless another is given; `changes` are of its manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model or tiny_model(), folder / "model.onnx")
    write_golden(folder, golden_of(folder))
    (folder / "MODEL_CARD.md").write_text(CARD)
    manifest(**changes).write(folder)
    write_checksums(folder)
    return folder


def options(folder: Path, limits: dict | None = None, **changes) -> ServeOptions:
    """Of a server of a bundle on any port."""
    plain = ServeOptions(str(folder), port=0, model=ModelOptions(workers=1))
    return replace(plain, limits=replace(Limits(), **(limits or {})), **changes)


class Running:
    """A server that runs in a thread."""

    def __init__(self, options: ServeOptions):
        self.listener = listen(options)
        self.server = Server(options, self.listener)
        self.port = self.listener.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.run, daemon=True)

    @property
    def front(self):
        return self.server.front

    def start(self):
        self.thread.start()
        wait_for(lambda: self.server.models.ready or self.server.should_exit)
        return self

    def stop(self):
        self.server.should_exit = True
        self.thread.join(30)
        self.listener.close()
        assert not self.thread.is_alive()

    def connect(self, timeout: float = 20) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def ask(self, *parts: bytes) -> bytes:
        """Send the parts, return all that comes until the server closes."""
        with self.connect() as connection:
            for part in parts:
                connection.sendall(part)
            return read_all(connection)


@contextmanager
def running(folder: Path, limits: dict | None = None, **changes):
    """A server that is ready; it is stopped afterwards."""
    server = Running(options(folder, limits, **changes)).start()
    try:
        yield server
    finally:
        server.stop()


def wait_for(condition, seconds: float = 60):
    """Wait until the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def read_all(connection: socket.socket) -> bytes:
    """What comes until the other side closes; a reset is its end too."""
    parts = []
    while True:
        try:
            part = connection.recv(65536)
        except ConnectionResetError:
            break
        if not part:
            break
        parts.append(part)
    return b"".join(parts)


def read_answer(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """One answer: status, headers by their names in small letters, body."""
    stream = connection.makefile("rb", buffering=0)
    status = int(stream.readline().split()[1])
    headers = {}
    while line := stream.readline().strip():
        name, _, value = line.decode().partition(": ")
        headers[name.lower()] = value
    length, body = int(headers["content-length"]), b""
    while len(body) < length:
        part = stream.read(length - len(body))
        assert part, "the answer is cut off"
        body += part
    return status, headers, body


def statuses(answer: bytes) -> list[int]:
    """The status codes in what a connection said."""
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]
