from __future__ import annotations

from pathlib import Path

import pytest

from tlsearch.config.loading import load
from tlsearch.config.parameters import FloatRange, IntRange
from tlsearch.errors import SweepFileError

TEXT = """\
version: 1
name: plain
data: {source: photos}
budget: {trials: 9, hours: 2}
space:
  backbone: VGG16
  image_size: [96, 128]
  dropout: {type: float, low: 0.1, high: 0.4}
  unfreeze: {choices: [1, 2], when: {strategy: fine_tune}}
train: {early_stopping: null}
"""


@pytest.fixture(autouse=True)
def _file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    Path("a.yaml").write_text(TEXT)


def loaded(*overrides: str, **values):
    return load("a.yaml", overrides, **values)


def mistakes(*overrides: str, **values) -> str:
    with pytest.raises(SweepFileError) as caught:
        loaded(*overrides, **values)
    return "\n".join(caught.value.mistakes)


def test_values_are_yaml():
    sweep = loaded("budget.trials=10", "budget.hours=null", "name='1e3'", "search.sampler=random")
    assert (sweep.budget.trials, sweep.budget.hours) == (10, None)
    assert (sweep.name, sweep.search.sampler) == ("1e3", "random")


def test_choices_over_a_shorthand():
    backbone = loaded("space.backbone.choices=[MobileNetV2, MobileNet]").space.backbone
    assert [choice.name for choice in backbone.choices] == ["MobileNetV2", "MobileNet"]
    assert loaded("space.image_size.choices=[160]").space.image_size.choices == [160]


def test_a_shorthand_over_anything():
    space = loaded("space.dropout=0.3", "space.image_size=160", "space.unfreeze=[3]").space
    assert space.dropout.choices == [0.3]
    assert space.image_size.choices == [160]
    assert (space.unfreeze.choices, space.unfreeze.when) == ([3], None)


def test_a_range_over_choices_and_choices_over_a_range():
    space = loaded(
        "space.unfreeze={type: int, low: 1, high: 4}",
        "space.head_learning_rate={type: float, low: 1e-4, high: 1e-2, log: true}",
        "space.dropout.choices=[0.2]",
    ).space
    assert isinstance(space.unfreeze, IntRange)
    assert isinstance(space.head_learning_rate, FloatRange)
    assert space.dropout.choices == [0.2]


def test_a_range_key_by_key_keeps_the_condition():
    keys = ("space.unfreeze.type=int", "space.unfreeze.low=2", "space.unfreeze.high=5")
    unfreeze = loaded(*keys).space.unfreeze
    assert (unfreeze.low, unfreeze.high) == (2, 5)
    assert unfreeze.when == {"strategy": "fine_tune"}


def test_one_end_of_a_range():
    assert loaded("space.dropout.high=0.6").space.dropout.high == 0.6
    assert loaded("space.dropout.high=0.6").space.dropout.low == 0.1


def test_a_condition_over_a_shorthand():
    image_size = loaded("space.image_size.when={pooling: avg}").space.image_size
    assert (image_size.choices, image_size.when) == ([96, 128], {"pooling": "avg"})


def test_a_backbone_key_by_key():
    backbone = loaded("space.backbone.name=MobileNet", "space.backbone.alpha=0.5").space.backbone
    assert [choice.label for choice in backbone.choices] == ["MobileNet(alpha=0.5)"]


def test_into_a_section_that_is_null_or_absent():
    sweep = loaded("train.early_stopping.patience=7", "tracking.experiment=x")
    assert sweep.train.early_stopping.patience == 7
    assert sweep.tracking.experiment == "x"


def test_the_last_one_wins():
    assert loaded("budget.trials=3", "budget.trials=4").budget.trials == 4


def test_python_values():
    sweep = loaded(
        budget={"trials": 3},
        space={"image_size": (96, 160), "unfreeze": {"type": "int", "low": 1, "high": 3}},
        **{"train.epochs": 7, "data.source": Path("here")},
    )
    assert (sweep.budget.trials, sweep.budget.hours, sweep.train.epochs) == (3, 2, 7)
    assert sweep.space.image_size.choices == [96, 160]
    assert isinstance(sweep.space.unfreeze, IntRange)
    assert isinstance(sweep.space.dropout, FloatRange)
    assert sweep.data.source == str(Path.cwd() / "here")


@pytest.mark.parametrize(
    ("override", "what"),
    [
        ("budget.trails=3", "unknown key budget.trails (received 3)\n  hint: did you mean trials?"),
        ("bugdet.trials=3", "did you mean budget?"),
        ("budget.trials=ten", "budget.trials must be a whole number (received 'ten')"),
        ("budget.trials.x=3", "budget.trials must be a whole number"),
        ("budget.trials", "write key=value"),
        ("=3", "write key=value"),
        ("budget..trials=3", "write key=value"),
        ("space.backbone=[VGG16", "not valid YAML"),
        ("space.backbone.choices=[VGG16, VGG91]", "did you mean VGG19?"),
        ("space.strategy.choices=[fintune]", "did you mean fine_tune?"),
    ],
)
def test_a_wrong_override_is_named(override, what):
    given = mistakes(override)
    assert given.startswith(f"override {override}: ")
    assert what in given


def test_all_wrong_overrides_are_named_in_order_after_the_file():
    Path("a.yaml").write_text(TEXT + "more: 1\n")
    given = mistakes("b=1", "a", budget={"trails": 1}).splitlines()
    places = [line.partition(": ")[0] for line in given if not line.startswith("  ")]
    assert places == ["a.yaml:11:1", "override b=1", "override a", "argument budget.trails=1"]


def test_an_override_may_mend_the_file():
    Path("a.yaml").write_text("version: 1\nname: x\nspace: {backbone: VG}\n")
    sweep = loaded("data.source=generated:flowers", "space.backbone=VGG16")
    assert sweep.data.source == "generated:flowers"
