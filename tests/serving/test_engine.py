from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice, repeat
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from PIL import Image
from tiny_bundle import LABELS, SIZE, tiny_model

from serving import Bundle, Engine
from tlsearch.errors import BundleError, SetupError, UsageError
from tlsearch.export.checksums import write_checksums


@pytest.fixture
def engine(bundle_folder) -> Engine:
    return Engine(Bundle.open(bundle_folder))


def plain(colour: str) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (20, 30), colour).save(stream, "PNG")
    return stream.getvalue()


def test_golden_samples_are_met(engine):
    assert engine.replay_golden() <= 1e-6


def test_probabilities_are_those_of_the_formula(engine):
    images = np.random.default_rng(1).integers(0, 256, (5, SIZE, SIZE, 3), dtype=np.uint8)
    logits = images.astype(np.float64).mean((1, 2)) / 32
    expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    given = engine.predict(images)
    assert given.dtype == np.float32
    np.testing.assert_allclose(given, expected, atol=1e-5)


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_batches_make_no_difference(engine, count):
    images = np.random.default_rng(2).integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)
    given = engine.predict(images, batch_size=2)
    assert given.shape == (count, 3)
    np.testing.assert_allclose(given, engine.predict(images), atol=1e-6)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((1, SIZE, SIZE + 1, 3), np.uint8),
        np.zeros((SIZE, SIZE, 3), np.uint8),
        np.zeros((1, SIZE, SIZE, 3), np.float32),
    ],
)
def test_photos_of_another_kind_are_refused(engine, images):
    with pytest.raises(UsageError, match=r"uint8 \[n, 8, 8, 3\]"):
        engine.predict(images)


def test_a_batch_of_none_is_refused(engine):
    with pytest.raises(UsageError, match="at least one"):
        engine.predict(np.zeros((1, SIZE, SIZE, 3), np.uint8), batch_size=0)
    with pytest.raises(UsageError, match="at least one"):
        next(engine.classify([plain("red")], batch_size=0))


def test_photos_need_not_lie_in_one_piece(engine):
    images = np.random.default_rng(4).integers(0, 256, (3, SIZE, SIZE, 3), dtype=np.uint8)
    flipped = images[:, ::-1, :, ::-1]
    np.testing.assert_allclose(engine.predict(flipped), engine.predict(flipped.copy()), atol=1e-6)


def test_a_wrong_golden_probability_is_refused(make_bundle, tmp_path):
    def shift(golden):
        return replace(golden, probabilities=golden.probabilities + np.float32(2e-3))

    with pytest.raises(BundleError, match=r"largest difference of 0\.002"):
        Engine(Bundle.open(make_bundle(tmp_path / "b", shift))).replay_golden()


def test_a_golden_probability_that_is_not_a_number_is_refused(make_bundle, tmp_path):
    def spoil(golden):
        return replace(golden, probabilities=np.full_like(golden.probabilities, np.nan))

    with pytest.raises(BundleError, match="nan"):
        Engine(Bundle.open(make_bundle(tmp_path / "b", spoil))).replay_golden()


def test_another_label_is_refused_however_small_the_difference(make_bundle, tmp_path):
    def tie(golden):
        grey = np.full((1, SIZE, SIZE, 3), 100, np.uint8)
        near = np.array([[1 / 3, 1 / 3 + 5e-4, 1 / 3 - 5e-4]], np.float32)
        return replace(golden, images=grey, probabilities=near)

    with pytest.raises(BundleError, match="another label for 1"):
        Engine(Bundle.open(make_bundle(tmp_path / "b", tie))).replay_golden()


def test_golden_samples_of_other_classes_are_refused(make_bundle, tmp_path):
    def cut(golden):
        return replace(golden, probabilities=golden.probabilities[:, :2])

    with pytest.raises(BundleError, match="shape"):
        Engine(Bundle.open(make_bundle(tmp_path / "b", cut))).replay_golden()


def test_classify_goes_on_after_an_unreadable_photo(engine, tmp_path):
    red, text = tmp_path / "red.png", tmp_path / "text.jpg"
    red.write_bytes(plain("red"))
    text.write_text("no photo")
    photos = [red, text, tmp_path / "absent.jpg", plain("blue"), plain("blue")[:40]]
    given = list(engine.classify(photos, batch_size=2))
    assert [p.label for p in given] == ["red", None, None, "blue", None]
    assert [p.source for p in given] == [*map(str, photos[:3]), "photo 3", "photo 4"]
    assert [p.error is None for p in given] == [True, False, False, True, False]
    assert given[0].probability == pytest.approx(given[0].probabilities.max())
    assert given[0].probabilities.sum() == pytest.approx(1)


def test_classify_without_any_photo_that_can_be_read(engine):
    assert [p.label for p in engine.classify([b"", b"x"])] == [None, None]
    assert list(engine.classify([])) == []


def test_classify_reads_an_endless_stream_as_it_is_asked_for(engine):
    stream = engine.classify(repeat(plain("lime")), batch_size=2)
    assert [p.label for p in islice(stream, 5)] == ["green"] * 5


def test_several_threads_on_one_engine(engine):
    images = np.random.default_rng(3).integers(0, 256, (40, SIZE, SIZE, 3), dtype=np.uint8)
    expected = engine.predict(images)
    with ThreadPoolExecutor(4) as pool:
        parts = pool.map(lambda i: engine.predict(images[i : i + 1]), range(40))
        np.testing.assert_allclose(np.concatenate(list(parts)), expected, atol=1e-6)


def test_the_real_photos_have_a_colour(engine, flower_photos: Path):
    photos = sorted((flower_photos / "dandelion").glob("*.jpg"))[:3]
    given = list(engine.classify(photos))
    assert all(p.label in LABELS and p.error is None for p in given)


def test_cpu_is_the_default(engine):
    assert engine.provider == "CPUExecutionProvider"


def test_an_unknown_provider_is_refused(bundle_folder):
    with pytest.raises(SetupError, match="NoSuchProvider"):
        Engine(Bundle.open(bundle_folder), providers=["NoSuchProvider"])


def falls_back(folder) -> bool:
    """Whether onnxruntime itself opens a session for CUDA on the CPU, and says nothing."""
    providers = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    session = ort.InferenceSession(folder / "model.onnx", providers=providers)
    return session.get_providers()[0] != "CUDAExecutionProvider"


def test_cuda_runs_on_cuda_or_not_at_all(bundle_folder):
    bundle = Bundle.open(bundle_folder)
    providers = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    if falls_back(bundle_folder):
        with pytest.raises(SetupError, match="cannot run on CUDAExecutionProvider"):
            Engine(bundle, providers=providers)
    else:
        engine = Engine(bundle, providers=providers)
        assert engine.provider == "CUDAExecutionProvider"
        assert engine.replay_golden() <= 1e-3


def test_a_device_that_fails_is_not_the_models_fault(bundle_folder, monkeypatch):
    """Such a device is not at hand: this much of onnxruntime is made up."""
    real = ort.InferenceSession

    def on_a_full_device(model, options, providers, **given):
        assert given == {"enable_fallback": 0}
        if providers[0][0] == "CUDAExecutionProvider":
            raise ort.capi.onnxruntime_pybind11_state.RuntimeException("CUDA failure 2")
        return real(model, options, providers=providers, **given)

    monkeypatch.setattr(ort, "InferenceSession", on_a_full_device)
    bundle = Bundle.open(bundle_folder)
    with pytest.raises(SetupError, match="cannot run on CUDAExecutionProvider") as caught:
        Engine(bundle, providers=["CUDAExecutionProvider"])
    assert (type(caught.value), caught.value.received) == (SetupError, "CUDA failure 2")
    (bundle_folder / "model.onnx").write_bytes(b"no model")
    with pytest.raises(BundleError, match="cannot open"):
        Engine(bundle, providers=["CUDAExecutionProvider"])


@pytest.mark.parametrize(
    "model", [tiny_model(size=9), tiny_model(classes=2), tiny_model(name="pictures")]
)
def test_a_model_that_does_not_fit_its_manifest_is_refused(make_bundle, tmp_path, model):
    bundle = Bundle.open(make_bundle(tmp_path / "b", model=model))
    with pytest.raises(BundleError, match=r"does not fit its bundle\.json"):
        Engine(bundle)


def test_a_file_that_is_no_model_is_refused(bundle_folder):
    (bundle_folder / "model.onnx").write_bytes(b"no model")
    write_checksums(bundle_folder)
    with pytest.raises(BundleError, match="cannot open"):
        Engine(Bundle.open(bundle_folder))
