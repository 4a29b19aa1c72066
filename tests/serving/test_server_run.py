"""The command: when it refuses to start, what it says, and how it ends."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from running import (
    Running,
    options,
    read_all,
    read_answer,
    running,
    statuses,
    wait_for,
    write_bundle,
)
from test_http_protocol import BYTES, close, whole
from tiny_bundle import hanging_model

from serving.server import run
from tlsearch.errors import SetupError

ROOT = Path(__file__).parents[2]
PATIENCE = 60
"""Seconds for an end that takes less than one on a machine with nothing else to do."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_bundle(tmp_path_factory.mktemp("run") / "bundle")


def command(*arguments) -> list[str]:
    return [sys.executable, "-m", "serving", *map(str, arguments)]


def refusal(*arguments) -> str:
    done = subprocess.run(
        command(*arguments), capture_output=True, text=True, cwd=ROOT, timeout=120, check=False
    )
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    assert "ready" not in done.stdout
    return done.stderr


@contextmanager
def started(*arguments):
    """The command as a process, once it is ready, and its port."""
    process = subprocess.Popen(
        command(*arguments, "--port", 0),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        port = int(re.search(r"http://127\.0\.0\.1:(\d+)", process.stdout.readline())[1])
        assert process.stdout.readline().startswith("ready: colours 1, fp32 on CPU")
        yield process, port
    finally:
        process.kill()
        process.communicate()


def events(told: str) -> list[tuple[str, str, str]]:
    """How grave, from whom, what: of each line on stderr."""
    pattern = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ([A-Z]+) ([\w.]+): (.+)"
    return [re.fullmatch(pattern, line).groups() for line in told.splitlines()]


def test_it_tells_what_it_serves_and_of_no_request(folder):
    with started(folder, "--workers", 1) as (process, port):
        read_answer_of_another(port)
        assert ask(port, b"/v2/health/ready") == 200
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=PATIENCE)
    told = events(err)
    [served] = [what for _, who, what in told if who == "serving.models"]
    assert served.startswith("colours: version 1 is now served: fp32 on CPUExecutionProvider, ")
    assert "verified" in served
    assert "photos/s" in served
    assert not [what for *_, what in told if "v2" in what]


def test_it_tells_less_if_told_so(folder):
    with started(folder, "--log-level", "warning") as (process, _):
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, "")


def test_no_bundle_is_refused(tmp_path):
    assert "is not a bundle" in refusal(tmp_path / "absent")


def test_a_provider_that_is_not_there_is_refused(folder):
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers() and has_gpu():
        pytest.skip("this machine has a GPU that onnxruntime runs on")
    assert "CUDAExecutionProvider" in refusal(folder, "--provider", "cuda", "--port", 0)


def has_gpu() -> bool:
    return Path("/dev/nvidia0").exists()


def test_a_port_that_is_taken_is_refused(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SetupError, match=f":{port} cannot be listened on") as caught:
            run(options(folder, port=port))
    assert f"--port {port + 1}" in caught.value.hint


def test_wrong_options_are_usage_errors(folder):
    for wrong in (
        ["--provider", "abacus"],
        ["--port", "99999"],
        ["--workers", "-1"],
        ["--token", ""],
        ["--log-level", "chatty"],
        ["--huh"],
    ):
        done = subprocess.run(
            command(folder, *wrong), capture_output=True, text=True, cwd=ROOT, check=False
        )
        assert done.returncode == 2, done.stderr


def test_it_is_light():
    show = (
        "import sys, serving.__main__\n"
        "heavy = {'tensorflow', 'keras', 'mlflow', 'optuna', 'pandas', 'matplotlib', 'scipy'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", show], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_0_though_connections_are_open(folder, end):
    with started(folder, "--workers", 1) as (process, port):
        idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
        for connection in idle[:10]:
            connection.sendall(whole())
            assert read_answer(connection)[0] == 200
        process.send_signal(end)
        out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out) == (0, "")
        assert events(err)[-1] == (
            "INFO",
            "uvicorn.error",
            f"Finished server process [{process.pid}]",
        )
        for connection in idle:
            connection.close()


def test_tlsearch_serve_is_the_same_command(folder):
    done = subprocess.run(
        [sys.executable, "-m", "tlsearch", "serve", "--help"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0
    assert "--lame-duck" in done.stdout
    assert "tlsearch serve" in done.stdout


async def load(port: int, counts: dict[str, int], message: bytes) -> None:
    """Ask on one connection until the server says that it closes it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    open_still = True
    while open_still:
        writer.write(message)
        counts["asked"] += 1
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", head)[1])
        await reader.readexactly(length)
        counts["answered"] += head.startswith(b"HTTP/1.1 200")
        open_still = b"connection: close" not in head
    writer.close()


async def end_under_load(process, port: int, message: bytes) -> dict[str, int]:
    counts = {"asked": 0, "answered": 0}
    clients = [asyncio.create_task(load(port, counts, message)) for _ in range(32)]
    await asyncio.sleep(1)
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(20):
        await asyncio.gather(*clients)
    return counts


def test_every_accepted_request_is_answered(folder):
    with started(folder, "--workers", 1) as (process, port):
        counts = asyncio.run(end_under_load(process, port, whole(count=4)))
        _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
    assert {grade for grade, *_ in events(err)} == {"INFO"}
    assert counts["asked"] == counts["answered"] > 100


def test_a_large_request_that_still_comes_is_answered(folder):
    with started(folder, "--workers", 1) as (process, port):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            message = whole(count=100)
            connection.sendall(message[:5000])
            read_answer_of_another(port)
            process.send_signal(signal.SIGTERM)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(2)
            connection.sendall(message[5000:])
            status, headers, _ = read_answer(connection)
            assert (status, headers["connection"]) == (200, "close")
        assert process.wait(PATIENCE) == 0


def test_the_grace_period_is_kept(folder):
    arguments = ("--workers", 1, "--grace", 3)
    with started(folder, *arguments) as (process, port), socket.socket() as connection:
        connection.connect(("127.0.0.1", port))
        connection.sendall(whole()[:-1])
        read_answer_of_another(port)
        process.send_signal(signal.SIGTERM)
        assert statuses(read_all(connection)) == [408]
        assert process.wait(PATIENCE) == 0


def test_a_short_grace_period_is_no_time_of_less_than_none(folder):
    server = Running(options(folder, grace=1.0))
    assert server.front.ending_seconds == 0
    server.listener.close()


@pytest.mark.parametrize("workers", [1, 0], ids=["in a thread", "in the loop"])
def test_a_run_that_hangs_does_not_keep_it(hanging, workers):
    """In the loop nothing of the server runs any more, and the signal has to be heard still."""
    with started(hanging, "--workers", workers, "--grace", 2) as (process, port):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(white())
            wait_for(lambda: is_busy(process))
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 1
            assert read_all(client) == b""
        line = process.stderr.read().splitlines()[-1]
        assert "the grace period of 2 s is over: 1 accepted photos are not answered" in line


def test_what_does_not_hang_is_answered_beside_it(hanging):
    arguments = ("--workers", 2, "--grace", 2)
    with started(hanging, *arguments) as (process, port), socket.socket() as client:
        client.connect(("127.0.0.1", port))
        client.sendall(white())
        wait_for(lambda: is_busy(process))
        with socket.create_connection(("127.0.0.1", port)) as other:
            other.sendall(whole())
            process.send_signal(signal.SIGTERM)
            assert read_answer(other)[0] == 200
        assert process.wait(PATIENCE) == 1


@pytest.fixture(scope="module")
def hanging(tmp_path_factory):
    return write_bundle(tmp_path_factory.mktemp("hanging") / "bundle", hanging_model())


def white() -> bytes:
    """A request on which the hanging model hangs."""
    head, _, body = whole().partition(b"\r\n\r\n")
    return head + b"\r\n\r\n" + body[:-BYTES] + b"\xff" * BYTES


def is_busy(process) -> bool:
    """Whether it computes without a pause: for half a second it had a core most of the time."""

    def ticks():
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11])

    before = ticks()
    time.sleep(0.5)
    return ticks() - before > 0.1 * os.sysconf("SC_CLK_TCK")


def read_answer_of_another(port):
    with socket.create_connection(("127.0.0.1", port)) as other:
        other.sendall(close(whole()))
        assert read_answer(other)[0] == 200


def test_a_lame_duck_is_not_ready_and_still_answers(folder):
    with started(folder, "--workers", 1, "--lame-duck", 3, "--grace", 20) as (process, port):
        process.send_signal(signal.SIGTERM)
        wait_for(lambda: ask(port, b"/v2/health/ready") == 503)
        assert ask(port, b"/v2/health/live") == 200
        read_answer_of_another(port)
        assert process.wait(PATIENCE) == 0


def ask(port: int, path: bytes) -> int:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET " + path + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        return read_answer(connection)[0]


def test_it_is_alive_before_it_is_ready(folder):
    with running(folder) as server:
        models = server.server.models
        assert models.ready
        models.retire()
        assert ask(server.port, b"/v2/health/live") == 200
        assert ask(server.port, b"/v2/health/ready") == 503


def test_it_ends_at_once_while_it_still_loads():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        process = subprocess.Popen(
            command("models:/flowers@champion", "--port", 0),
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "MLFLOW_TRACKING_URI": uri},
        )
        try:
            port = int(re.search(r":(\d+)$", process.stdout.readline())[1])
            assert ask(port, b"/v2/health/live") == 200
            assert ask(port, b"/v2/health/ready") == 503
            assert ask(port, b"/v2/models/flowers") == 503
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
            process.communicate()
