from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from running import write_bundle
from tiny_bundle import LABELS, SIZE, golden_of, hanging_model, manifest, tiny_model

from serving import Bundle
from serving.model import ModelOptions, ServedModel
from serving.models import Models
from serving.problems import Problem
from tlsearch.errors import BundleError, SetupError
from tlsearch.export.checksums import write_checksums
from tlsearch.export.golden import write_golden
from tlsearch.export.manifest import Variant

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


@pytest.mark.parametrize(("cores", "seconds", "workers"), [(3, 10, 3), (1, 10, 0), (1, 0, 1)])
def test_as_many_workers_as_cores_and_none_where_the_loop_does(
    bundle_folder, monkeypatch, cores, seconds, workers
):
    monkeypatch.setattr("serving.model.usable_cores", lambda: cores)
    monkeypatch.setattr("serving.model.GROUP_SECONDS", seconds)
    model = ServedModel.load("m", "1", bundle_folder, ModelOptions(largest_batch=1))
    assert model.batcher.plan.workers == workers


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


def slow(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same answers after much useless work."""
    graph = model.graph
    softmax = graph.node.pop()
    wide = numpy_helper.from_array(np.zeros((3, 3000), np.float32), "wide")
    square = numpy_helper.from_array(np.zeros((3000, 3000), np.float32), "square")
    graph.initializer.extend([wide, square])
    graph.node.extend(
        [
            helper.make_node("MatMul", ["logits", "wide"], ["much"]),
            helper.make_node("MatMul", ["much", "square"], ["more"]),
            helper.make_node("ReduceMean", ["more"], ["zero"], axes=[1], keepdims=1),
            helper.make_node("Add", ["logits", "zero"], ["same"]),
            helper.make_node("Softmax", ["same"], [softmax.output[0]], axis=-1),
        ]
    )
    return model


@pytest.fixture
def two_variants(tmp_path):
    """A function that writes a bundle of a slow fp32 and a fast int8 model, each off by so much."""

    def make(fp32: float = 0, int8: float = 0) -> Path:
        folder = tmp_path / "variants"
        folder.mkdir()
        onnx.save(tiny_model(), folder / "model.int8.onnx")
        onnx.save(slow(tiny_model()), folder / "model.onnx")
        golden = golden_of(folder)
        off = {"int8": golden.probabilities + np.float32(int8)}
        write_golden(
            folder, replace(golden, probabilities=golden.probabilities + fp32, variants=off)
        )
        facts = {"size_bytes": 1, "max_difference": 0}
        manifest(
            variants=[
                Variant(file="model.onnx", precision="fp32", **facts),
                Variant(file="model.int8.onnx", precision="int8", tolerance=0.01, **facts),
            ]
        ).write(folder)
        write_checksums(folder)
        return folder

    return make


def loaded(folder: Path, precision: str) -> ServedModel:
    return ServedModel.load("m", "1", folder, replace(ONE, precision=precision))


def test_the_fastest_variant_is_chosen(two_variants):
    folder = two_variants()
    model = loaded(folder, "fastest")
    assert model.precision == "int8"
    assert loaded(folder, "fp32").precision == "fp32"
    np.testing.assert_allclose(
        model.engine.run(PHOTO), loaded(folder, "fp32").engine.run(PHOTO), atol=1e-6
    )


def test_each_variant_has_its_own_tolerance(two_variants):
    assert loaded(two_variants(int8=0.005), "int8").precision == "int8"


def test_the_fastest_is_not_one_whose_golden_samples_do_not_hold(two_variants, caplog):
    folder = two_variants(int8=0.02)
    assert loaded(folder, "fastest").precision == "fp32"
    assert "the int8 model is left out" in caplog.text
    with pytest.raises(BundleError, match="int8 model's answers"):
        loaded(folder, "int8")


def test_no_variant_holds(two_variants):
    with pytest.raises(BundleError, match="fp32 model's answers"):
        loaded(two_variants(np.float32(0.02), 0.02), "fastest")


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


def test_a_version_that_hangs_is_left_to_itself(tmp_path):
    """In a process of its own: the thread that hangs ends with it and not before."""
    script = """
import asyncio, os, sys
import numpy as np
from serving.model import ModelOptions, ServedModel
from serving.models import Models

def open_version(version="1"):
    return ServedModel.load("colours", version, sys.argv[1], ModelOptions(workers=1))

async def check():
    models = Models({"colours": open_version}, patience=0.2)
    await models.load("colours")
    white = np.full((1, 8, 8, 3), 255, np.uint8)
    hanging = asyncio.create_task(models.get("colours").batcher.predict(white))
    await asyncio.sleep(0)
    for version in ("2", "3"):
        await models.swap(open_version(version))
    assert [model.version for model in models.at_work()] == ["3", "2"]
    await models.unload("colours")
    assert not hanging.done()

asyncio.run(check())
print("over", flush=True)
os._exit(0)
"""
    folder = write_bundle(tmp_path / "hanging", hanging_model())
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout) == (0, "over\n"), done.stderr
    assert "colours 1 hangs with 1 photos" in done.stderr
