"""`search.screening`: off by default, a number to keep, or null."""

from __future__ import annotations

import pytest

from tlsearch.config.loading import dump, load
from tlsearch.errors import SweepFileError

TEXT = "version: 1\nname: plain\ndata: {source: photos}\nspace: {backbone: [VGG16, VGG19]}\n"


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    written = tmp_path / "a.yaml"
    written.write_text(TEXT)
    return written


@pytest.mark.parametrize(
    ("override", "keep"),
    [("search.screening={}", 3), ("search.screening={keep: 5}", 5), ("search.screening.keep=1", 1)],
)
def test_how_many_stay(file, override, keep):
    assert load(file, [override]).search.screening.keep == keep


def test_nothing_is_screened_unless_it_is_asked_for(file):
    assert load(file, []).search.screening is None


def test_null_turns_it_off_and_stays_so_when_it_is_written(file, tmp_path):
    sweep = load(file, ["search.screening=null"])
    assert sweep.search.screening is None
    again = tmp_path / "b.yaml"
    again.write_text(dump(sweep))
    assert load(again) == sweep


@pytest.mark.parametrize(
    ("override", "what"),
    [
        ("search.screening=false", "null turns it off"),
        ("search.screening.keep=0", "search.screening.keep must be at least 1"),
        ("search.screening={kep: 2}", "did you mean keep?"),
    ],
)
def test_mistakes_come_with_what_to_write(file, override, what):
    with pytest.raises(SweepFileError, match=what.replace("?", r"\?")):
        load(file, [override])
