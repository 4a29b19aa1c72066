"""Credentials come from the environment, and are in nothing that is written or shown."""

from __future__ import annotations

import pytest

from tlsearch.config.loading import dump, load, load_recipe
from tlsearch.errors import SweepFileError

SECRET = "pl4nted-s3cret"
STORAGE = f"postgresql://anna:{SECRET}@db/optuna"
TEXT = """\
version: 1
name: plain
data: {source: "https://example.org/photos.tgz?token=%s"}
space: {backbone: VGG16}
"""


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch):
    for name in ("MLFLOW_TRACKING_URI", "TLSEARCH_STORAGE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def write(tmp_path):
    def write_one(tail="", text=TEXT % SECRET):
        path = tmp_path / "a.yaml"
        path.write_text(text + tail)
        return path

    return write_one


def test_the_environment_wins_over_the_file_and_loses_to_an_override(write, monkeypatch):
    file = write("search: {storage: sqlite:///file.db, seed: 3}\n")
    assert load(file).search.storage == "sqlite:///file.db"
    monkeypatch.setenv("TLSEARCH_STORAGE", STORAGE)
    sweep = load(file)
    assert (sweep.search.storage, sweep.search.seed) == (STORAGE, 3)
    assert load(file, ["search.storage=sqlite:///over.db"]).search.storage == "sqlite:///over.db"
    assert load(write()).search.storage == STORAGE
    assert load(write("search: null\n".replace("null", "{seed: 2}"))).search.seed == 2


def test_a_recipe_has_no_study(tmp_path, monkeypatch):
    monkeypatch.setenv("TLSEARCH_STORAGE", STORAGE)
    file = tmp_path / "recipe.yaml"
    file.write_text(
        "version: 1\nname: a\nbackbone: {name: ResNet10, weights: random}\n"
        "image_size: 32\nmethod: supervised\ndata: {source: 'generated:patterns'}\n"
    )
    assert load_recipe(file).name == "a"


def test_what_is_written_down_holds_none_and_says_so_when_it_is_loaded(write, monkeypatch):
    tracking = f"tracking: {{uri: 'https://anna:{SECRET}@mlflow'}}\n"
    sweep = load(write(f"search: {{storage: '{STORAGE}'}}\n{tracking}"))
    text = dump(sweep)
    assert SECRET not in text
    file = write(text=text)
    with pytest.raises(SweepFileError) as refused:
        load(file)
    assert len(refused.value.mistakes) == 3
    assert "search.storage has lost its credentials" in str(refused.value)
    assert "TLSEARCH_STORAGE" in str(refused.value)
    monkeypatch.setenv("TLSEARCH_STORAGE", STORAGE)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", sweep.tracking.uri)
    assert load(file, [f"data.source={sweep.data.source}"]) == sweep


def test_mistakes_hold_none(write):
    with pytest.raises(SweepFileError) as refused:
        load(write(), [f"search.storge={STORAGE}", f"tracking.uri=[{STORAGE}]"], name=STORAGE)
    assert SECRET not in str(refused.value)
    assert str(refused.value).count("anna:***@db") >= 3


def test_a_sweep_that_is_printed_holds_none(write):
    sweep = load(write(f"search: {{storage: '{STORAGE}'}}\n"))
    shown = f"{sweep} {sweep!r} {sweep.search} {sweep.search!r} {[sweep.data]}"
    assert SECRET not in shown
    assert "name='plain'" in shown
