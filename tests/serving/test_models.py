from __future__ import annotations

import asyncio
import os
import threading

import numpy as np
import pytest
from tiny_bundle import LABELS, SIZE

from serving import Bundle
from serving.model import ModelOptions, ServedModel
from serving.models import Models
from serving.problems import Problem
from tlsearch.errors import BundleError, SetupError

ONE = ModelOptions(workers=1, largest_batch=4)
PHOTO = np.full((1, SIZE, SIZE, 3), 7, np.uint8)


@pytest.fixture
def open_version(make_bundle, tmp_path):
    """A function that loads the bundle as a version; each call gives a new model."""
    folder = make_bundle(tmp_path / "served")
    return lambda version="1": ServedModel.load("colours", version, folder, ONE)


@pytest.fixture
def models(open_version):
    return Models({"colours": open_version})


def refusal(call, *arguments) -> int:
    with pytest.raises(Problem) as raised:
        call(*arguments)
    return raised.value.status


async def refusal_of(coroutine) -> int:
    with pytest.raises(Problem) as raised:
        await coroutine
    return raised.value.status


def test_a_model_says_what_it_is(open_version):
    model = open_version("3")
    assert (model.name, model.version, model.precision) == ("colours", "3", "fp32")
    assert (model.labels, model.image_size) == (LABELS, SIZE)
    assert model.provider == "CPUExecutionProvider"
    assert set(model.curve.seconds) <= {1, 2, 4}
    assert model.batcher.plan.workers == 1


def test_as_many_workers_as_cores(bundle_folder):
    model = ServedModel.load("m", "1", bundle_folder, ModelOptions(largest_batch=1))
    assert 1 <= model.batcher.plan.workers <= os.cpu_count()


def test_answers_are_those_of_the_engine(models):
    async def check():
        await models.load("colours")
        model = models.get("colours")
        given = await model.batcher.predict(PHOTO)
        np.testing.assert_array_equal(given, model.engine.predict(PHOTO))
        assert model.observations.counts().requests["ok"] == 1
        await models.drain()

    asyncio.run(check())


def test_a_changed_byte_is_refused_before_the_model_is_opened(bundle_folder):
    model = bundle_folder / "model.onnx"
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 1
    model.write_bytes(data)
    with pytest.raises(BundleError, match="changed"):
        ServedModel.load("m", "1", bundle_folder, ONE)


def test_wrong_golden_samples_are_refused(make_bundle, tmp_path):
    from dataclasses import replace

    def spoil(golden):
        return replace(golden, probabilities=golden.probabilities[::-1].copy())

    with pytest.raises(BundleError, match="golden"):
        ServedModel.load("m", "1", make_bundle(tmp_path / "b", spoil), ONE)


def test_a_provider_that_is_not_there_is_refused(bundle_folder):
    with pytest.raises(SetupError, match="NoSuch"):
        ServedModel.load("m", "1", bundle_folder, ModelOptions(("NoSuch",)))


def test_a_precision_that_is_not_there_is_refused(bundle_folder):
    with pytest.raises(BundleError, match="no int8 model"):
        ServedModel.load("m", "1", bundle_folder, ModelOptions(precision="int8"))


def test_it_is_ready_when_all_is_verified_and_until_it_retires(models):
    async def check():
        assert not models.ready
        assert refusal(models.get, "colours") == 503
        assert models.index()[0]["state"] == "UNAVAILABLE"
        await models.load("colours")
        assert models.ready
        assert models.index() == [
            {"name": "colours", "version": "1", "state": "READY", "reason": ""}
        ]
        models.retire()
        assert not models.ready
        assert (await models.get("colours").batcher.predict(PHOTO)).shape == (1, 3)
        await models.drain()
        assert refusal(models.get, "colours") == 503

    asyncio.run(check())


def test_an_unknown_name_or_version_is_not_found(models):
    async def check():
        await models.load("colours")
        assert models.get("colours", "1") is models.get("colours")
        assert refusal(models.get, "colours", "2") == 404
        assert refusal(models.get, "shapes") == 404
        for call in (models.load, models.unload, models.rollback):
            assert await refusal_of(call("shapes")) == 404
        await models.drain()

    asyncio.run(check())


def test_what_cannot_be_loaded_says_why_and_changes_nothing(make_bundle, tmp_path):
    folder = tmp_path / "served"

    async def check():
        models = Models({"colours": lambda: ServedModel.load("colours", "1", folder, ONE)})
        with pytest.raises(BundleError):
            await models.load("colours")
        assert not models.ready
        assert "not a bundle" in models.index()[0]["reason"]
        make_bundle(folder)
        await models.load("colours")
        first = models.get("colours")
        (folder / "model.onnx").write_bytes(b"")
        with pytest.raises(BundleError):
            await models.load("colours")
        assert models.get("colours") is first
        assert models.ready
        assert "changed" in models.index()[0]["reason"]
        await models.drain()

    asyncio.run(check())


def test_the_previous_version_waits_for_a_rollback(models, open_version):
    async def check():
        await models.swap(open_version("1"))
        assert await refusal_of(models.rollback("colours")) == 404
        await models.swap(open_version("2"))
        assert [row["version"] for row in models.index()] == ["2", "1"]
        assert models.get("colours", "1").version == "1"
        assert (await models.rollback("colours")).version == "1"
        assert models.get("colours").version == "1"
        assert (await models.rollback("colours")).version == "2"
        await models.drain()

    asyncio.run(check())


def test_the_version_before_the_previous_one_goes(models, open_version):
    async def check():
        one = open_version("1")
        await models.swap(one)
        await one.batcher.predict(PHOTO)
        await models.swap(open_version("2"))
        assert (await one.batcher.predict(PHOTO)).shape == (1, 3)
        await models.swap(open_version("3"))
        assert await refusal_of(one.batcher.predict(PHOTO)) == 503
        assert refusal(models.get, "colours", "1") == 404
        await models.drain()
        assert not [one for one in threading.enumerate() if one.name.startswith("model-")]

    asyncio.run(check())


def test_unloaded_and_loaded_again(models):
    async def check():
        await models.load("colours")
        waiting = asyncio.create_task(models.get("colours").batcher.predict(PHOTO))
        await asyncio.sleep(0)
        await models.unload("colours")
        assert (await waiting).shape == (1, 3)
        assert refusal(models.get, "colours") == 503
        assert models.ready
        assert models.index()[0]["reason"] == "unloaded"
        await models.load("colours")
        assert models.get("colours").version == "1"
        await models.drain()

    asyncio.run(check())


def test_nothing_comes_to_work_after_the_end(models, open_version):
    async def check():
        late = open_version("2")
        await models.drain()
        assert await refusal_of(models.swap(late)) == 503
        assert await refusal_of(models.load("colours")) == 503

    asyncio.run(check())


def test_no_request_fails_while_versions_come_and_go(models, open_version):
    versions = [open_version(str(number)) for number in range(5)]
    answered: list[int] = []

    async def ask(stop):
        while not stop.is_set():
            model = models.get("colours")
            await model.batcher.predict(PHOTO)
            answered.append(int(model.version))

    async def check():
        stop = asyncio.Event()
        await models.swap(versions[0])
        askers = [asyncio.create_task(ask(stop)) for _ in range(16)]
        for number, version in enumerate(versions[1:], 1):
            await models.swap(version)
            while number not in answered:
                await asyncio.sleep(0.001)
        await models.rollback("colours")
        while 3 not in answered[-16:]:
            await asyncio.sleep(0.001)
        stop.set()
        await asyncio.gather(*askers)
        await models.drain()
        done = sum(one.observations.counts().requests["ok"] for one in versions)
        assert done == len(answered)

    asyncio.run(check())
    assert set(answered) >= {1, 2, 3, 4}


def test_loads_of_one_model_take_turns(bundle_folder):
    at_once, most = 0, 0

    def opener():
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        model = ServedModel.load("colours", "1", bundle_folder, ONE)
        at_once -= 1
        return model

    async def check():
        models = Models({"colours": opener})
        await asyncio.gather(*(models.load("colours") for _ in range(3)))
        await models.drain()

    asyncio.run(check())
    assert most == 1


def test_the_bundle_is_at_hand(open_version):
    assert isinstance(open_version().bundle, Bundle)
