"""A server that starts, and goes on, while MLflow cannot be reached."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import httpx
import pytest
from mlflow_registry import Gate, copied
from prometheus_client import generate_latest
from running import wait_for

from serving.follow import Follower, Wanted
from serving.metrics import metrics_registry
from serving.mlflow_rest import Unreachable
from serving.models import Models
from serving.registry import ModelUri
from tlsearch.errors import SetupError


@pytest.fixture
def name(request):
    """A registered model's name that no other test has."""
    return request.node.name


@pytest.fixture
def gate(mlflow_proxied):
    gate = Gate(mlflow_proxied)
    gate.open()
    yield gate
    gate.close()


@pytest.fixture
def register(registrar, make_bundle, name, tmp_path):
    bundle = copied(make_bundle(tmp_path / "made"), tmp_path)
    return lambda: registrar.register(name, bundle)


@pytest.fixture
def follow(gate, name, tmp_path):
    """A function that makes a follower, as a new process has one."""

    def follow(**changes):
        wanted = {"folder": tmp_path / "kept", "seconds": 0.2, **changes}
        return Follower(Wanted(ModelUri(name, alias="champion"), **wanted), gate.uri)

    return follow


async def started(follower):
    models = Models(follower.openers, doubt=lambda name: follower.doubt)
    await models.load(follower.name)
    return models


def stale(models) -> float:
    text = generate_latest(metrics_registry(models.at_work, models.doubt)).decode()
    return float(re.search(r"^tlsearch_model_stale\{.*\} (\S+)$", text, re.M)[1])


def test_it_starts_with_what_the_alias_meant_and_follows_when_it_can(
    follow, register, gate, name, caplog
):
    register()
    follow().open()
    gate.close()
    register()

    async def check():
        follower = follow()
        models = await started(follower)
        assert models.get(name).version == "1"
        assert stale(models) == 1
        [row] = models.index()
        assert (row["state"], row["version"]) == ("READY", "1")
        assert "version 1 is what @champion meant on 20" in row["reason"]
        [warning] = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
        assert "starts with what is kept here" in warning
        await follower.look(models)
        assert (models.get(name).version, stale(models)) == ("1", 1)
        gate.open()
        following = asyncio.create_task(follower.follow(models))
        async with asyncio.timeout(60):
            while models.get(name).version != "2":
                await asyncio.sleep(0.02)
            while stale(models):
                await asyncio.sleep(0.02)
        assert models.index()[0]["reason"] == ""
        following.cancel()
        await asyncio.wait([following])
        await models.drain()

    asyncio.run(check())


def test_the_newest_that_was_verified_is_what_it_starts_with(follow, register, gate, name):
    async def serve():
        models = await started(follower := follow())
        register()
        await follower.look(models)
        assert models.get(name).version == "2"
        await models.drain()

    register()
    asyncio.run(serve())
    gate.close()
    assert follow().open().version == "2"


def test_what_was_never_known_is_not_made_up(follow, register, gate, tmp_path):
    register()
    gate.close()
    with pytest.raises(Unreachable):
        follow().open()
    gate.open()
    follow().open()
    gate.close()
    with pytest.raises(Unreachable):
        follow(folder=tmp_path / "elsewhere").open()


def test_a_damaged_bundle_is_not_started_with(follow, register, gate, tmp_path):
    register()
    follow().open()
    gate.close()
    [file] = (tmp_path / "kept").rglob("golden.npz")
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(Unreachable):
        follow().open()


def test_a_registry_that_says_no_is_believed(follow, register, registrar, name):
    register()
    follow().open()
    registrar.client.delete_registered_model_alias(name, "champion")
    with pytest.raises(SetupError, match=f"has no models:/{name}@champion"):
        follow().open()


def test_a_load_that_is_asked_for_fails_and_changes_nothing(follow, register, gate, name):
    async def check():
        models = await started(follow())
        gate.close()
        with pytest.raises(Unreachable):
            await models.load(name)
        assert [model.version for model in models.at_work()] == ["1"]
        await models.drain()

    register()
    asyncio.run(check())


@contextmanager
def served(name, gate, home):
    """`python -m serving` as a process; its port, and itself."""
    command = [sys.executable, "-m", "serving", f"models:/{name}@champion", "--port", "0"]
    environment = os.environ | {"MLFLOW_TRACKING_URI": gate.uri, "TLSEARCH_HOME": str(home)}
    with subprocess.Popen(
        [*command, "--poll", "0.5"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as server:
        try:
            listening = server.stdout.readline()
            yield int(listening.rpartition(":")[2]), server
        finally:
            server.kill()


def test_the_process_says_that_it_is_stale(register, gate, name, tmp_path):
    register()
    with served(name, gate, tmp_path) as (_, server):
        assert server.stdout.readline().startswith(f"ready: {name} 1")
    gate.close()
    with served(name, gate, tmp_path) as (port, server):
        assert server.stdout.readline().startswith(f"ready: {name} 1")
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            about = client.get(f"/v2/models/{name}").json()["parameters"]
            assert "what @champion meant" in about["stale"]
            assert f'tlsearch_model_stale{{model="{name}"}} 1.0' in client.get("/metrics").text
            gate.open()
            wait_for(lambda: not stale_of(client, name))
        server.send_signal(signal.SIGTERM)
        _, told = server.communicate(timeout=30)
        assert server.returncode == 0
        [warning] = [line for line in told.splitlines() if " WARNING serving.follow: " in line]
        assert "starts with what is kept here" in warning
        assert "version 1 is now served" in told
        assert "is followed again" in told
        assert "httpx" not in told


def stale_of(client, name):
    return json.loads(client.get(f"/v2/models/{name}").text)["parameters"]["stale"]
