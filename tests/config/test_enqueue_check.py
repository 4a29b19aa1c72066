"""Trials to run first: what is in the space is let through, the rest is told with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tlsearch.config.loading import load
from tlsearch.errors import SweepFileError

TEXT = """\
version: 1
name: plain
data: {{source: photos}}
search:
  enqueue:
    - {{{entry}}}
space:
  backbone: [MobileNet, {{name: MobileNetV2, alpha: 0.5}}]
  strategy: [feature_extraction, fine_tune]
  unfreeze: {{type: int, low: 1, high: 4, when: {{strategy: fine_tune}}}}
  head_learning_rate: {{type: float, low: 1e-4, high: 1e-2, log: true}}
  dropout: {{choices: [0.0, 0.5]}}
  hidden_units: {{type: int, low: 0, high: 128, step: 64}}
  pooling: max
"""


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def written(entry):
    Path("a.yaml").write_text(TEXT.format(entry=entry), encoding="utf-8")
    return "a.yaml"


def mistakes(entry, *overrides):
    with pytest.raises(SweepFileError) as caught:
        load(written(entry), overrides)
    return caught.value.mistakes


@pytest.mark.parametrize(
    "entry",
    [
        "backbone: MobileNet",
        "backbone: MobileNetV2(alpha=0.5), head_learning_rate: 1e-3, dropout: 0.5",
        "strategy: fine_tune, unfreeze: 4, hidden_units: 64, dropout: 0",
        "pooling: max",
        "backbone: MobileNet, image_size: 224",
        "",
    ],
    ids=["one", "label", "condition", "single choice", "default size", "nothing"],
)
def test_what_is_in_the_space_is_let_through(entry):
    assert len(load(written(entry)).search.enqueue) == 1


@pytest.mark.parametrize(
    ("entry", "column", "what", "hint"),
    [
        ("backbon: MobileNet", 8, "unknown parameter", "did you mean backbone?"),
        (
            "backbone: MobileNetV2",
            18,
            "not in the space",
            "its choices: MobileNet, MobileNetV2(alpha=0.5)",
        ),
        ("pooling: avg", 17, "not in the space (received 'avg')", "its choices: max"),
        ("head_learning_rate: 1", 28, "not in the space (received 1)", "0.0001 to 0.01"),
        ("hidden_units: 65", 22, "not in the space", "0 to 128 in steps of 64"),
        ("hidden_units: 64.0", 22, "not in the space", "its range"),
        ("dropout: true", 17, "not in the space (received true)", "its choices: 0.0, 0.5"),
        ("unfreeze: 2", 8, "applies only where strategy is fine_tune (received", "add `strategy"),
        ("image_size: 96, backbone: MobileNet", 20, "not in the space (received 96)", "choices"),
    ],
)
def test_what_is_not_is_told_at_its_place(entry, column, what, hint):
    (mistake,) = mistakes(entry)
    assert mistake.startswith(f"a.yaml:6:{column}: search.enqueue[0]")
    assert what in mistake
    assert hint in mistake


def test_an_unmet_condition_names_what_it_received():
    (mistake,) = mistakes("strategy: feature_extraction, unfreeze: 2")
    assert "(received 'feature_extraction')" in mistake


def test_all_mistakes_come_at_once_and_beside_those_of_the_space():
    found = mistakes("backbon: VGG16, dropout: 0.3, hidden_units: -1")
    assert len(found) == 3
    (unknown, low) = mistakes("backbon: VGG16, dropout: 0.3", "space.hidden_units.low=200")
    assert "backbon" in unknown
    assert "low must be below high" in low
