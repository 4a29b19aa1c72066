"""Where weights are looked for, how they come, and what is said when they do not."""

from __future__ import annotations

import http.server
import socket
import threading

import keras
import numpy as np
import pytest

from tlsearch.backbones.build import build
from tlsearch.backbones.table import BACKBONES
from tlsearch.backbones.weights import (
    Published,
    builtin,
    fetch,
    published,
    weights_digest,
    weights_file,
)
from tlsearch.config.schema import BackboneChoice
from tlsearch.errors import UsageError, WeightsError
from tlsearch.pretraining.files import PretrainingFiles


@pytest.fixture
def models(tmp_path, monkeypatch):
    """An empty folder of weights."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


@pytest.fixture
def no_network(monkeypatch):
    """Every look-up of a name fails, as on a machine without a network."""

    def fail(*args, **kwargs):
        raise socket.gaierror("Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)


class _AskedError(Exception):
    pass


def _what_keras_asks_for(name, monkeypatch, **arguments):
    """The file and the address that keras.applications wants for ImageNet weights."""

    def get_file(file, origin, **kwargs):
        raise _AskedError(file, origin)

    monkeypatch.setattr(keras.src.utils.file_utils, "get_file", get_file)
    with pytest.raises(_AskedError) as asked:
        getattr(keras.applications, name)(include_top=False, weights="imagenet", **arguments)
    return asked.value.args


def _assert_same_as_keras(name, size, monkeypatch, alpha=None):
    arguments = {"input_shape": (size, size, 3)} | ({} if alpha is None else {"alpha": alpha})
    asked = _what_keras_asks_for(name, monkeypatch, **arguments)
    ours = published(BACKBONES[name], alpha, size)
    assert (ours.path.name, ours.address) == asked


@pytest.mark.filterwarnings("ignore:`input_shape` is undefined")
@pytest.mark.parametrize(("alpha", "size"), [(0.25, 128), (0.75, 100), (1.0, 224)])
def test_mobilenet_files_are_those_of_keras(alpha, size, monkeypatch):
    _assert_same_as_keras("MobileNet", size, monkeypatch, alpha)


@pytest.mark.filterwarnings("ignore:`input_shape` is undefined")
@pytest.mark.parametrize(("alpha", "size"), [(0.35, 96), (1.0, 100)])
def test_mobilenet_v2_files_are_those_of_keras(alpha, size, monkeypatch):
    _assert_same_as_keras("MobileNetV2", size, monkeypatch, alpha)


@pytest.mark.filterwarnings("ignore:`input_shape` is undefined")
@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n, row in BACKBONES.items() if row.weights == "imagenet"])
def test_files_are_those_of_keras(name, monkeypatch):
    row = BACKBONES[name]
    for alpha in row.alphas or (None,):
        _assert_same_as_keras(name, row.image_size, monkeypatch, alpha)


def test_weights_file_of_each_kind(models):
    named = weights_file(BackboneChoice(name="MobileNetV2", alpha=0.5), 100)
    assert named == models / ("mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.5_224_no_top.h5")
    assert weights_file(BackboneChoice(name="VGG16", weights="a/b.h5")).name == "b.h5"
    assert weights_file(BackboneChoice(name="c.keras")).name == "c.keras"
    assert weights_file(BackboneChoice(name="kerashub:anything")) is None
    assert weights_file(BackboneChoice(name="VGG16", weights="random")) is None
    assert weights_file(BackboneChoice(name="c.keras", weights="random")).name == "c.keras"


@pytest.mark.parametrize("name", ["own.keras", "kerashub:some_preset"])
def test_own_weights_of_an_own_network_are_told_apart(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.keras").write_bytes(b"a network")
    digests = [weights_digest(BackboneChoice(name=name))]
    for folder in ("a", "b"):
        file = tmp_path / folder / "backbone.weights.h5"
        file.parent.mkdir()
        file.write_text(folder)
        digests.append(weights_digest(BackboneChoice(name=name, weights=str(file))))
    assert len(set(digests)) == 3
    with pytest.raises(WeightsError, match="cannot be read"):
        weights_digest(BackboneChoice(name=name, weights="absent.weights.h5"))


@pytest.mark.parametrize(
    "spec", [BackboneChoice(name="MobileNet", alpha=0.3), BackboneChoice(name="VGG16", alpha=0.5)]
)
def test_width_that_does_not_exist(spec):
    with pytest.raises(UsageError, match="does not come in this width"):
        weights_file(spec)


def test_no_network_says_what_to_do(models, no_network):
    with pytest.raises(WeightsError) as raised:
        build(BackboneChoice(name="MobileNet", alpha=0.25), 128)
    message = str(raised.value)
    assert "mobilenet_2_5_128_tf_no_top.h5" in message
    assert "https://storage.googleapis.com/" in message
    assert str(models) in message
    assert "tlsearch run sweeps/quickstart.yaml" in message
    assert list(models.iterdir()) == []


@pytest.fixture
def server(tmp_path):
    """A web server on this machine: `/there` is whole, `/broken` ends early."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(404 if self.path == "/missing" else 200)
            self.send_header("Content-Length", "10")
            self.end_headers()
            self.wfile.write(b"0123" if self.path == "/broken" else b"0123456789")

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_download(server, tmp_path):
    path = tmp_path / "models" / "w.h5"
    fetch(Published(path, f"{server}/there"))
    assert path.read_bytes() == b"0123456789"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("what", ["missing", "broken"])
def test_failed_download_leaves_nothing(server, tmp_path, what):
    with pytest.raises(WeightsError):
        fetch(Published(tmp_path / "w.h5", f"{server}/{what}"))
    assert list(tmp_path.iterdir()) == []


def test_own_weights_file(tmp_path):
    path = tmp_path / "own.weights.h5"
    saved = build(BackboneChoice(name="MobileNet", alpha=0.25), 32, pretrained=False).model
    saved.save_weights(path)
    loaded = build(BackboneChoice(name="MobileNet", alpha=0.25, weights=str(path)), 64).model
    for one, other in zip(saved.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_weights_of_another_network(tmp_path):
    path = tmp_path / "other.weights.h5"
    build(BackboneChoice(name="MobileNet", alpha=0.25), 32, pretrained=False).model.save_weights(
        path
    )
    with pytest.raises(WeightsError, match="does not fit"):
        build(BackboneChoice(name="MobileNet", alpha=0.5, weights=str(path)), 32)


def test_missing_and_damaged_weights(tmp_path):
    path = tmp_path / "own.weights.h5"
    with pytest.raises(WeightsError, match="no such weights file"):
        build(BackboneChoice(name="MobileNet", alpha=0.25, weights=str(path)), 32)
    path.write_bytes(b"not HDF5")
    with pytest.raises(WeightsError, match="damaged"):
        build(BackboneChoice(name="MobileNet", alpha=0.25, weights=str(path)), 32)


@pytest.fixture
def packaged(tmp_path, monkeypatch):
    """A folder of the package's weights with those of a ResNet10 of random ones: that network."""
    folder = tmp_path / "builtin"
    folder.mkdir()
    monkeypatch.setattr("tlsearch.backbones.weights._BUILTIN", folder)
    model = build(BackboneChoice(name="ResNet10", weights="random"), 32).model
    random = np.random.default_rng(0)
    model.set_weights([random.uniform(0.5, 1.5, w.shape) for w in model.get_weights()])
    model.save_weights(folder / "resnet10.weights.h5")
    return model


def _assert_same(model, other):
    for one, two in zip(model.weights, other.weights, strict=True):
        np.testing.assert_array_equal(one, two)


def test_resnet10_starts_from_the_weights_of_the_package(packaged, models, no_network):
    spec = BackboneChoice(name="ResNet10")
    assert spec.weights == "builtin"
    assert weights_file(spec).name == "resnet10.weights.h5"
    for size in (None, 32, 50):
        _assert_same(build(spec, size).model, packaged)


def test_resnet10_on_a_file_of_ones_own(packaged, tmp_path):
    path = tmp_path / "own.weights.h5"
    own = build(BackboneChoice(name="ResNet10", weights="random"), 64).model
    own.save_weights(path)
    _assert_same(build(BackboneChoice(name="ResNet10", weights=str(path)), 32).model, own)


def test_random_weights_read_no_file_and_differ_each_time(models, no_network):
    spec = BackboneChoice(name="MobileNet", alpha=0.25, weights="random")
    one, other = build(spec, 32).model, build(spec, 32).model
    assert np.abs(one.get_weights()[0] - other.get_weights()[0]).max() > 0


@pytest.mark.parametrize(
    ("name", "word", "message"),
    [
        ("ResNet10", "imagenet", "ResNet10 was not trained on ImageNet"),
        ("VGG16", "builtin", "no weights of VGG16 come with tlsearch"),
    ],
)
def test_weights_that_a_network_has_not(packaged, name, word, message):
    spec = BackboneChoice(name=name, weights=word)
    with pytest.raises(UsageError, match=message) as raised:
        weights_file(spec)
    assert "leave `weights` out" in str(raised.value)
    with pytest.raises(UsageError, match=message):
        build(spec, 32)


def test_a_package_without_its_weights(tmp_path, monkeypatch):
    monkeypatch.setattr("tlsearch.backbones.weights._BUILTIN", tmp_path)
    spec = BackboneChoice(name="ResNet10")
    for ask in (weights_file, lambda spec: build(spec, 32)):
        with pytest.raises(WeightsError, match="that come with tlsearch are missing") as raised:
            ask(spec)
        assert "install tlsearch again" in str(raised.value)


def test_kernels_in_half_precision(packaged, tmp_path):
    """Kernels are read as the nearest halves of what was saved, the rest as it was."""
    files = PretrainingFiles(tmp_path / "half")
    files.folder.mkdir()
    files.write_weights(packaged, "float16")
    packaged.save_weights(tmp_path / "whole.weights.h5")
    whole = (tmp_path / "whole.weights.h5").stat().st_size
    assert files.weights.stat().st_size < 0.6 * whole
    loaded = build(BackboneChoice(name="ResNet10", weights=str(files.weights)), 32).model
    kernels = 0
    for saved, given in zip(packaged.weights, loaded.weights, strict=True):
        halved = np.asarray(saved).astype(np.float16 if saved.ndim > 1 else np.float32)
        np.testing.assert_array_equal(given, halved.astype(np.float32))
        assert given.dtype == "float32"
        kernels += saved.ndim > 1
    assert kernels == 14


@pytest.mark.parametrize("name", [n for n, row in BACKBONES.items() if row.weights == "builtin"])
def test_the_real_weights_of_the_package(name):
    path = builtin(BACKBONES[name])
    assert path.stat().st_size < 2**21, "every install carries it"
    model = build(BackboneChoice(name=name), None).model
    values = model.get_weights()
    assert all(np.isfinite(value).all() for value in values)
    means = [w for w in model.weights if w.path.endswith("moving_mean")]
    assert all(np.abs(mean).max() > 0 for mean in means), "never trained"


def test_efficientnet_computes_what_keras_computes(models, monkeypatch):
    """keras builds another graph for ImageNet weights; ours has one and must give its numbers."""
    made = keras.applications.EfficientNetB0(include_top=False, weights=None)
    made.layers[2].adapt_mean.assign([0.485, 0.456, 0.406])
    made.layers[2].adapt_variance.assign([0.229, 0.224, 0.225])
    path = weights_file(BackboneChoice(name="EfficientNetB0"))
    keras.src.legacy.saving.legacy_h5_format.save_weights_to_hdf5_group(
        group := keras.src.legacy.saving.legacy_h5_format.h5py.File(path, "w"), made
    )
    group.close()
    monkeypatch.setattr(keras.src.utils.file_utils, "get_file", lambda *a, **k: str(path))
    theirs = keras.applications.EfficientNetB0(
        include_top=False, weights="imagenet", input_shape=(64, 64, 3)
    )
    ours = build(BackboneChoice(name="EfficientNetB0"), 64)
    images = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype("float32")
    wanted = np.asarray(theirs(images))
    given = np.asarray(ours.model(ours.preprocess(images)))
    assert np.abs(given - wanted).max() < 1e-4 * np.abs(wanted).max()
