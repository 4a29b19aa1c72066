"""The alias moves, and a version is rolled back, while 64 connections ask: nobody is failed."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from contextlib import contextmanager, suppress
from itertools import groupby

import httpx
import numpy as np
from mlflow_registry import copied
from tiny_bundle import SIZE

CONNECTIONS = 64
POLL = 0.5
NAME = "moved under load"


def infer_request():
    photo = np.random.default_rng(0).integers(0, 256, (1, SIZE, SIZE, 3), dtype=np.uint8).tobytes()
    tensor = {"name": "images", "datatype": "UINT8", "shape": [1, SIZE, SIZE, 3]}
    head = json.dumps({"inputs": [tensor | {"parameters": {"binary_data_size": len(photo)}}]})
    path = f"/v2/models/{NAME.replace(' ', '%20')}/infer"
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        f"Inference-Header-Content-Length: {len(head)}",
        f"Content-Length: {len(head) + len(photo)}",
    ]
    return "\r\n".join([*lines, "", head]).encode() + photo


REQUEST = infer_request()


class Load:
    """Connections that ask again as soon as they are answered."""

    def __init__(self, port):
        self.port = port
        self.stopped = False
        self.answers = [[] for _ in range(CONNECTIONS)]

    async def ask(self, answers):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        while not self.stopped:
            writer.write(REQUEST)
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.partition("content-length: ")[2].split()[0])
            answers.append((head.split()[1], await reader.readexactly(length)))
        writer.close()

    async def all_answered_by(self, version):
        """Until each connection's last answer is that version's."""
        while {version_of(answers[-1]) if answers else None for answers in self.answers} != {
            version
        }:
            await asyncio.sleep(0.05)


def version_of(answer):
    status, body = answer
    assert status == "200", body
    return json.loads(body)["model_version"]


@contextmanager
def served(folder, uri):
    """`python -m serving` as a process that follows the alias; its port."""
    command = [sys.executable, "-m", "serving", f"models:/{NAME}@champion", "--port", "0"]
    environment = os.environ | {"MLFLOW_TRACKING_URI": uri, "TLSEARCH_HOME": str(folder)}
    with subprocess.Popen(
        [*command, "--poll", str(POLL)], stdout=subprocess.PIPE, text=True, env=environment
    ) as server:
        try:
            listening, ready = server.stdout.readline(), server.stdout.readline()
            assert ready.startswith(f"ready: {NAME} 1"), (listening, ready)
            yield int(listening.rpartition(":")[2])
        finally:
            server.terminate()
            with suppress(subprocess.TimeoutExpired):
                server.wait(timeout=30)
            server.kill()
    assert server.returncode == 0


async def move_and_roll_back(port, register):
    load = Load(port)
    async with asyncio.timeout(120), asyncio.TaskGroup() as asking:
        for answers in load.answers:
            asking.create_task(load.ask(answers))
        await load.all_answered_by("1")
        for version in ("2", "3"):
            await asyncio.to_thread(register)
            await load.all_answered_by(version)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            rolled = await client.post(f"/v1/models/{NAME}/rollback")
            assert rolled.status_code == 200, rolled.text
        await load.all_answered_by("2")
        await asyncio.sleep(4 * POLL)
        load.stopped = True
    return load.answers


def test_no_request_fails_while_the_alias_moves(mlflow_proxied, registrar, make_bundle, tmp_path):
    bundle = copied(make_bundle(tmp_path / "made"), tmp_path)

    def register():
        registrar.register(NAME, bundle)

    register()
    with served(tmp_path / "home", mlflow_proxied.uri) as port:
        connections = asyncio.run(move_and_roll_back(port, register))
    for answers in connections:
        versions = [version for version, _ in groupby(map(version_of, answers))]
        assert versions == ["1", "2", "3", "2"]
