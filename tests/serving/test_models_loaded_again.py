"""The version at work, loaded once more: it takes its own place and nobody else's."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import numpy as np
import pytest
from tiny_bundle import SIZE

from serving.model import ModelOptions, ServedModel
from serving.models import Models
from serving.problems import Problem

PHOTO = np.full((1, SIZE, SIZE, 3), 7, np.uint8)


@pytest.fixture
def open_version(make_bundle, tmp_path):
    """A function that loads the bundle as a version; each call gives a new model."""
    folder = make_bundle(tmp_path / "served")
    options = ModelOptions(workers=1, largest_batch=1)
    return lambda version="1": ServedModel.load("colours", version, folder, options)


async def with_two_versions(open_version) -> Models:
    models = Models({"colours": lambda: open_version("2")})
    await models.swap(open_version("1"))
    await models.load("colours")
    return models


def versions(models) -> list[str]:
    return [model.version for model in models.at_work()]


def test_there_is_still_the_version_before_to_roll_back_to(open_version):
    async def check():
        models = await with_two_versions(open_version)
        first, second = models.get("colours", "1"), models.get("colours")
        for _ in range(2):
            await models.load("colours")
        assert versions(models) == ["2", "1"]
        assert models.get("colours") is not second
        assert await models.rollback("colours") is first
        await models.drain()

    asyncio.run(check())


def test_a_request_that_began_with_the_copy_before_is_answered(open_version):
    async def check():
        models = await with_two_versions(open_version)
        copies = [models.get("colours")]
        for _ in range(2):
            await models.load("colours")
            copies.append(models.get("colours"))
        for copy in copies:
            assert (await copy.batcher.predict(PHOTO)).shape == (1, 3)
        assert copies[-1].observations.counts().requests["ok"] == 3
        await models.drain()
        for copy in copies:
            with pytest.raises(Problem, match="put aside"):
                await copy.batcher.predict(PHOTO)

    asyncio.run(check())


def test_another_bundle_under_the_same_number_is_another_version(make_bundle, tmp_path):
    """In a folder each bundle is version 1, and the one before stays at hand all the same."""
    options = ModelOptions(workers=1, largest_batch=1)

    async def check():
        folder = make_bundle(tmp_path / "served")
        models = Models({"colours": lambda: ServedModel.load("colours", "1", folder, options)})
        await models.load("colours")
        first = models.get("colours")
        make_bundle(folder, created=datetime(2026, 2, 3, tzinfo=UTC))
        await models.load("colours")
        assert await models.rollback("colours") is first
        await models.drain()

    asyncio.run(check())
