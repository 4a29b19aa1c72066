"""Who reads a photo, and how many may wait: without a network, so that all come at once."""

from __future__ import annotations

import asyncio
import io
import threading

import numpy as np
import pytest
from PIL import Image
from running import write_bundle
from tiny_bundle import SIZE

from serving.http import photos as photos_module
from serving.http.classify import Classifier, Query
from serving.http.photos import Photos, SentPhoto
from serving.model import ModelOptions, ServedModel
from serving.models import Models
from serving.options import PhotoOptions
from serving.problems import Problem
from tlsearch.data.photo import read_photo

ANY = Query(None, None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_bundle(tmp_path_factory.mktemp("photos") / "bundle")


def photo(size=(40, 30), kind="JPEG") -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, "red").save(stream, kind)
    return stream.getvalue()


SMALL, LARGE = photo(), photo((1000, 1001))


class Place:
    """A model, the photos on their way to it, and the answers."""

    def __init__(self, model, options, seconds=None):
        self.model = model
        self.photos = Photos(options)
        models = Models({model.name: lambda: model})
        self.ready = models.load(model.name)
        self.classifier = Classifier(models, self.photos, seconds)
        self.answers: list[tuple[int, bytes]] = []

    def ask(self, body):
        self.classifier.start(ANY, {}, body, lambda *answer: self.answers.append(answer))

    @property
    def statuses(self):
        return [status for status, _ in self.answers]

    async def wait_for(self, count):
        while len(self.answers) < count:
            await asyncio.sleep(0.001)


def load(folder, **changes) -> ServedModel:
    """Runs one photo at a time, whatever this machine finds best."""
    options = ModelOptions(**{"largest_batch": 1, **changes})
    return ServedModel.load("colours", "1", folder, options)


@pytest.mark.parametrize(
    ("workers", "decoders", "data", "reader"),
    [
        (0, 1, SMALL, "loop"),
        (0, 1, LARGE, "decode"),
        (0, 2, SMALL, "decode"),
        (1, 1, SMALL, "model-"),
        (1, 2, SMALL, "decode"),
        (2, 2, SMALL, "model-"),
        (2, 2, LARGE, "decode"),
    ],
)
def test_who_reads_a_photo(folder, monkeypatch, workers, decoders, data, reader):
    opened, read = [], []

    def spy(seen, real):
        def call(*given):
            seen.append(threading.current_thread().name)
            return real(*given)

        return call

    monkeypatch.setattr(photos_module, "open_photo", spy(opened, photos_module.open_photo))
    monkeypatch.setattr(photos_module, "read_opened", spy(read, photos_module.read_opened))

    async def check():
        place = Place(load(folder, workers=workers), PhotoOptions(decoders=decoders))
        await place.ready
        place.ask(data)
        await place.wait_for(1)
        await place.model.drain()
        assert place.statuses == [200]

    asyncio.run(check())
    assert len(opened) == len(read) == 1
    assert read[0].startswith(threading.current_thread().name if reader == "loop" else reader)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_full_queue_is_refused_with_the_time_that_it_takes(folder, workers):
    async def check():
        model = load(folder, workers=workers, queue=2)
        place = Place(model, PhotoOptions(decoders=1))
        await place.ready
        for _ in range(4):
            place.ask(SMALL)
        assert place.statuses == [503, 503]
        assert b"retry-after: 1\r\n" in place.answers[0][1]
        await place.model.drain()
        assert sorted(place.statuses) == [200, 200, 503, 503]
        requests = model.observations.counts().requests
        assert (requests["ok"], requests["overloaded"]) == (2, 2)

    asyncio.run(check())


@pytest.mark.parametrize(("name", "count"), [("_WAITING", 3), ("_WAITING_BYTES", 3 * len(LARGE))])
def test_too_many_large_photos_are_refused(folder, monkeypatch, name, count):
    monkeypatch.setattr(photos_module, name, count)

    async def check():
        model = load(folder, workers=0)
        place = Place(model, PhotoOptions(decoders=1))
        await place.ready
        for _ in range(5):
            place.ask(LARGE)
        assert place.statuses == [503, 503]
        assert b"retry-after: 1\r\n" in place.answers[0][1]
        await place.wait_for(5)
        place.ask(LARGE)
        await place.wait_for(6)
        assert sorted(place.statuses) == [200] * 4 + [503] * 2
        assert model.observations.counts().requests["overloaded"] == 2

    asyncio.run(check())


def test_a_large_photo_alone_finds_room(folder, monkeypatch):
    monkeypatch.setattr(photos_module, "_WAITING_BYTES", 1)

    async def check():
        place = Place(load(folder, workers=0), PhotoOptions(decoders=1))
        await place.ready
        place.ask(LARGE)
        await place.wait_for(1)
        assert place.statuses == [200]

    asyncio.run(check())


def test_what_was_accepted_is_answered_by_a_version_that_ends(folder):
    async def check():
        place = Place(load(folder, workers=0), PhotoOptions(decoders=1))
        await place.ready
        for _ in range(20):
            place.ask(SMALL)
        assert place.statuses == []
        await place.model.drain()
        assert place.statuses == [200] * 20
        place.ask(SMALL)
        assert place.statuses[20:] == [503]

    asyncio.run(check())


def test_nothing_is_decoded_after_the_end(folder, monkeypatch):
    began, gate, real = threading.Event(), threading.Event(), photos_module.read_opened

    def wait(*given):
        began.set()
        assert gate.wait(20)
        return real(*given)

    monkeypatch.setattr(photos_module, "read_opened", wait)

    async def check():
        place = Place(load(folder, workers=0), PhotoOptions(decoders=1))
        await place.ready
        for _ in range(10):
            place.ask(LARGE)
        await asyncio.to_thread(began.wait, 20)
        place.photos.close()
        gate.set()
        await place.wait_for(10)
        assert sorted(place.statuses) == [200] + [503] * 9

    asyncio.run(check())


@pytest.mark.parametrize("data", [SMALL, LARGE, photo(kind="PNG"), photo(kind="WEBP")], ids=len)
def test_a_photo_is_read_as_training_does(folder, data):
    sent = SentPhoto(data, load(folder), PhotoOptions())
    sent.open()
    images = sent.read()
    assert np.array_equal(images, read_photo(data, SIZE)[None])
    assert len(sent) == 1


@pytest.mark.parametrize(
    ("data", "options", "status", "words"),
    [
        (b"no photo", {}, 415, "no picture in one of the formats JPEG, PNG, WEBP"),
        (SMALL, {"formats": ("PNG",)}, 415, "no picture in one of the formats PNG"),
        (SMALL, {"pixels": 1199}, 422, "a photo may have 1,199 pixels"),
        (photo(kind="PNG")[:20], {}, 422, "the header is damaged"),
        (LARGE[:-300], {}, 422, "truncated"),
    ],
)
def test_what_cannot_be_read(folder, data, options, status, words):
    sent = SentPhoto(data, load(folder), PhotoOptions(**options))
    with pytest.raises(Problem, match=words) as caught:
        sent.read()
    assert caught.value.status == status
