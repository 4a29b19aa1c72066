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
from tlsearch.backbones.weights import Published, fetch, published, weights_file
from tlsearch.config.schema import BackboneChoice
from tlsearch.errors import UsageError, WeightsError


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
@pytest.mark.parametrize("name", BACKBONES)
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
