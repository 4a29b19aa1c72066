"""An alias that moves in a real MLflow server, and the model that moves with it."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from mlflow_registry import copied, free_port
from tiny_bundle import SIZE

from serving.follow import Follower, Wanted, _apart
from serving.model import ModelOptions
from serving.models import Models
from serving.registry import ModelUri
from tlsearch.errors import SetupError
from tlsearch.export.golden import Golden

PHOTOS = np.zeros((2, SIZE, SIZE, 3), np.uint8)


def wrong(golden):
    return Golden(golden.images, np.ascontiguousarray(golden.probabilities[::-1]))


@pytest.fixture
def name(request):
    """A registered model's name that no other test has."""
    return request.node.name


@pytest.fixture
def register(registrar, make_bundle, name, tmp_path):
    """A function that registers a version with the alias `champion`; its number."""

    def register(**spoiled):
        folder = tmp_path / str(time.monotonic_ns())
        return registrar.register(name, copied(make_bundle(folder / "made", **spoiled), folder))

    return register


@pytest.fixture
def follower(mlflow_proxied, name, tmp_path):
    wanted = Wanted(ModelUri(name, alias="champion"), folder=tmp_path / "kept", seconds=0.2)
    return Follower(wanted, mlflow_proxied.uri)


async def started(follower):
    models = Models(follower.openers, doubt=lambda name: follower.doubt)
    await models.load(follower.name)
    return models


def test_the_champion_is_served_and_its_successor_after_it(follower, register, name):
    async def check():
        models = await started(follower)
        assert models.get(name).version == "1"
        register()
        await follower.look(models)
        assert models.get(name).version == "2"
        answer = await models.get(name).batcher.predict(PHOTOS)
        assert answer.sum(1) == pytest.approx(1, abs=1e-5)
        assert models.get(name, "1").version == "1"
        await models.drain()

    register()
    asyncio.run(check())


def test_the_alias_is_looked_at_now_and_then(follower, register, registrar, name):
    async def check():
        models = await started(follower)
        following = asyncio.create_task(follower.follow(models))
        for version in (register(), "1"):
            registrar.move(name, "champion", version)
            async with asyncio.timeout(60):
                while models.get(name).version != version:
                    await asyncio.sleep(0.02)
        following.cancel()
        await asyncio.wait([following])
        await models.drain()

    register()
    asyncio.run(check())


def test_a_version_that_answers_otherwise_is_tried_once(
    follower, register, registrar, name, caplog
):
    async def check():
        models = await started(follower)
        register(change=wrong)
        for _ in range(3):
            await follower.look(models)
        assert models.get(name).version == "1"
        refused = [one for one in caplog.records if one.levelno == logging.ERROR]
        assert len(refused) == 1
        assert "version 2 is not put to work" in refused[0].getMessage()
        assert "golden samples" in refused[0].getMessage()
        assert models.doubt(name).startswith("version 2 is not put to work: the fp32 model's answ")
        registrar.move(name, "champion", "1")
        await follower.look(models)
        assert models.doubt(name) is None
        register()
        await follower.look(models)
        assert models.get(name).version == "3"
        registrar.move(name, "champion", "2")
        await follower.look(models)
        assert models.get(name).version == "3"
        await models.drain()

    register()
    asyncio.run(check())


def test_a_version_that_fails_for_another_reason_is_tried_again(
    follower, register, name, monkeypatch, caplog
):
    async def check():
        models = await started(follower)
        register()
        elsewhere = replace(follower._wanted, options=ModelOptions(("NoSuchProvider",)))
        with monkeypatch.context() as patch:
            patch.setattr(follower, "_wanted", elsewhere)
            for _ in range(3):
                await follower.look(models)
        why = "version 2 is not put to work: onnxruntime cannot run on NoSuchProvider here"
        assert (models.get(name).version, models.doubt(name)) == ("1", why)
        assert [one.levelno for one in caplog.records].count(logging.ERROR) == 1
        await follower.look(models)
        assert (models.get(name).version, models.doubt(name)) == ("2", None)
        await models.drain()

    register()
    asyncio.run(check())


def test_a_version_without_a_bundle_is_tried_once(follower, register, registrar, name, caplog):
    async def check():
        models = await started(follower)
        registrar.register(name, None)
        for _ in range(3):
            await follower.look(models)
        assert models.get(name).version == "1"
        assert [one.levelno for one in caplog.records].count(logging.ERROR) == 1
        await models.drain()

    register()
    asyncio.run(check())


def test_a_version_that_was_rolled_back_stays_away(follower, register, registrar, name):
    async def check():
        models = await started(follower)
        register()
        await follower.look(models)
        await models.rollback(name)
        await follower.look(models)
        assert models.get(name).version == "1"
        registrar.move(name, "champion", "1")
        await follower.look(models)
        assert models.get(name).version == "1"
        registrar.move(name, "champion", "2")
        await follower.look(models)
        assert models.get(name).version == "2"
        register()
        await follower.look(models)
        await models.rollback(name)
        await follower.look(models)
        assert models.get(name).version == "2"
        await models.drain()

    register()
    asyncio.run(check())


def test_a_loaded_version_that_was_rolled_back_stays_away(follower, register, name):
    async def check():
        models = await started(follower)
        register()
        await models.load(name)
        await models.rollback(name)
        await follower.look(models)
        assert models.get(name).version == "1"
        await models.drain()

    register()
    asyncio.run(check())


def test_an_unloaded_model_stays_away(follower, register, name):
    async def check():
        models = await started(follower)
        await models.unload(name)
        register()
        await follower.look(models)
        assert models.at_work() == []
        await models.load(name)
        assert models.get(name).version == "2"
        await models.drain()

    register()
    asyncio.run(check())


@pytest.mark.parametrize("does", ["unload", "load"])
def test_what_a_client_does_meanwhile_counts(
    follower, register, registrar, name, monkeypatch, does
):
    """A client unloads the model, or loads the new version, while the follower loads it."""
    loading, go_on = threading.Event(), threading.Event()
    load = follower._load

    def load_slowly(version, folder):
        loading.set()
        assert go_on.wait(60)
        return load(version, folder)

    async def check():
        models = await started(follower)
        register()
        monkeypatch.setattr(follower, "_load", load_slowly)
        looking = asyncio.create_task(follower.look(models))
        await asyncio.to_thread(loading.wait, 60)
        monkeypatch.setattr(follower, "_load", load)
        await (models.unload(name) if does == "unload" else models.load(name))
        go_on.set()
        await looking
        if does == "unload":
            assert models.at_work() == []
        else:
            assert [model.version for model in models.at_work()] == ["2", "1"]
        await models.drain()

    register()
    asyncio.run(check())


def test_a_registry_that_goes_and_comes_is_told_of_once(
    follower, register, registrar, name, caplog
):
    caplog.set_level(logging.INFO, "serving.follow")

    async def check():
        models = await started(follower)
        registrar.client.delete_registered_model_alias(name, "champion")
        for _ in range(3):
            await follower.look(models)
        assert models.get(name).version == "1"
        registrar.move(name, "champion", "1")
        for _ in range(3):
            await follower.look(models)
        await models.drain()

    register()
    asyncio.run(check())
    told = [(one.levelname, one.getMessage().splitlines()[0]) for one in caplog.records]
    assert [level for level, _ in told] == ["WARNING", "INFO"]
    assert f"no models:/{name}@champion" in told[0][1]
    assert "followed again" in told[1][1]


def test_a_version_is_not_followed(mlflow_proxied, register, name, tmp_path):
    async def check():
        follower = Follower(Wanted(ModelUri(name, version="1"), "mine"), mlflow_proxied.uri)
        models = await started(follower)
        await asyncio.wait_for(follower.follow(models), 10)
        assert models.get("mine").version == "1"
        await models.drain()

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TLSEARCH_HOME", str(tmp_path / "home"))
        register()
        register()
        asyncio.run(check())
    assert list((tmp_path / "home" / "registry").rglob("bundle.json"))


def test_a_registry_that_is_not_there_at_the_start(tmp_path):
    wanted = Wanted(ModelUri("flowers", alias="champion"), folder=tmp_path)
    follower = Follower(wanted, f"http://127.0.0.1:{free_port()}")
    with pytest.raises(SetupError, match="does not answer"):
        follower.open()


def test_a_call_that_hangs_holds_nothing_up():
    """Its thread is left behind; the loop, and then the process, end without it."""
    script = """
import asyncio, threading
from serving.follow import _apart

async def main():
    hanging = asyncio.create_task(_apart(threading.Event().wait))
    await asyncio.sleep(0.1)
    hanging.cancel()

asyncio.run(main())
print("over")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "over\n"), done.stderr


def test_what_a_call_apart_gives_and_raises():
    async def check():
        assert await _apart(threading.get_ident) != threading.get_ident()
        with pytest.raises(ZeroDivisionError):
            await _apart(divmod, 1, 0)

    asyncio.run(check())
