from __future__ import annotations

import pytest

from tlsearch.config.loading import load

TEXT = """\
version: 1
name: plain
data: {source: %s}
space:
  backbone: [{name: MobileNet, weights: mine.weights.h5}, VGG16]
"""


@pytest.fixture(autouse=True)
def _folders(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for name in ("sweeps", "here"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")


def loaded(tmp_path, *overrides, source="../photos", tail=""):
    path = tmp_path / "sweeps" / "a.yaml"
    path.write_text(TEXT % source + tail)
    return load("../sweeps/a.yaml", overrides)


def test_paths_in_the_file_start_at_its_folder(tmp_path):
    sweep = loaded(tmp_path)
    assert sweep.data.source == str(tmp_path / "photos")
    assert sweep.space.backbone.choices[0].weights == str(tmp_path / "sweeps/mine.weights.h5")
    assert sweep.space.backbone.choices[1].weights == "imagenet"


def test_paths_in_an_override_start_here(tmp_path):
    sweep = loaded(tmp_path, "data.source=flowers", "space.backbone={name: VGG16, weights: w.h5}")
    assert sweep.data.source == str(tmp_path / "here/flowers")
    assert sweep.space.backbone.choices[0].weights == str(tmp_path / "here/w.h5")


def test_an_override_beside_a_path_leaves_it_where_it_is(tmp_path):
    backbone = loaded(tmp_path, "space.backbone.when={pooling: avg}").space.backbone
    assert backbone.choices[0].weights == str(tmp_path / "sweeps/mine.weights.h5")


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert loaded(tmp_path, source="~/photos").data.source == str(tmp_path / "photos")


@pytest.mark.parametrize(
    "source",
    [
        "http://a.example/x.tgz",
        "https://a.example/x.zip",
        "generated:flowers",
        "/far/photos",
        "~nobody-of-this-name/photos",
    ],
)
def test_addresses_and_absolute_paths_stay(tmp_path, source):
    assert loaded(tmp_path, source=source).data.source == source
    assert loaded(tmp_path, f"data.source={source}").data.source == source


def test_the_tracking_variable_wins_over_the_file(tmp_path, monkeypatch):
    tail = "tracking: {uri: 'http://file', experiment: e}\n"
    assert loaded(tmp_path, tail=tail).tracking.uri == "http://file"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://environment")
    assert loaded(tmp_path).tracking.uri == "http://environment"
    tracking = loaded(tmp_path, tail=tail).tracking
    assert (tracking.uri, tracking.experiment) == ("http://environment", "e")


def test_an_override_wins_over_the_tracking_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://environment")
    assert loaded(tmp_path, "tracking.uri=http://over").tracking.uri == "http://over"
    assert loaded(tmp_path, "tracking.uri=null").tracking.uri is None
    assert loaded(tmp_path, "tracking={uri: 'http://o'}").tracking.uri == "http://o"
    tracking = loaded(tmp_path, "tracking={experiment: e}").tracking
    assert (tracking.uri, tracking.experiment) == ("http://environment", "e")
