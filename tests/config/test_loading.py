from __future__ import annotations

import copy
import json
from functools import reduce
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tlsearch.config.loading import dump, load
from tlsearch.config.parameters import Choices, IntRange
from tlsearch.errors import SweepFileError

SWEEPS = Path(__file__).parents[2] / "sweeps"
PLAIN = """\
version: 1
name: plain
data: {source: photos}
space:
  backbone: MobileNet
"""


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def written(text: str) -> str:
    Path("a.yaml").write_text(text, encoding="utf-8")
    return "a.yaml"


def mistakes(text: str, *overrides: str, **values) -> list[str]:
    with pytest.raises(SweepFileError) as caught:
        load(written(text), overrides, **values)
    assert caught.value.exit_code == 2
    return caught.value.mistakes


def only(text: str, *overrides: str, **values) -> str:
    (mistake,) = mistakes(text, *overrides, **values)
    return mistake


@pytest.mark.parametrize("path", sorted(SWEEPS.glob("*.yaml")), ids=lambda path: path.stem)
def test_our_own_sweeps_load_and_survive_a_dump(path):
    sweep = load(path)
    assert sweep.name == path.stem
    assert load(written(dump(sweep))) == sweep


def test_defaults():
    sweep = load(written(PLAIN))
    assert sweep.budget.trials == 20
    assert sweep.space.strategy.choices == ["feature_extraction"]
    assert sweep.space.unfreeze.when == {"strategy": "fine_tune"}


def test_yaml_is_1_2():
    text = PLAIN + "  learning_rate: 1e-3\n  augment: none\n  dropout: [0, 0.5]\n"
    space = load(written(text.replace("name: plain", "name: no"))).space
    assert space.learning_rate.choices == [0.001]
    assert space.augment.choices == ["none"]
    assert space.dropout.choices == [0.0, 0.5]
    assert load("a.yaml").name == "no"


def test_every_mistake_is_reported_at_its_place_and_in_order():
    text = """\
version: 2
nmae: flowers
data: {source: x, split: {train: 0.5}}
budget: {trials: "10", hours: true}
space:
  backbone: [MobilNetV2, {name: MobileNet, alpha: 0.3}]
  strategy: [fine_tune, fintune]
  unfreeze: {type: int, low: 4, high: 1, when: {strategy: fine_tun}}
  dropout: {choices: [0.1, 1.5], foo: 1}
"""
    given = mistakes(text)
    assert [line.partition(": ")[0] for line in given] == [
        "a.yaml:1:10",
        "a.yaml:2:1",
        "a.yaml:3:19",
        "a.yaml:4:18",
        "a.yaml:4:31",
        "a.yaml:6:14",
        "a.yaml:6:51",
        "a.yaml:7:25",
        "a.yaml:8:3",
        "a.yaml:8:59",
        "a.yaml:9:28",
        "a.yaml:9:34",
    ]
    assert "version must be 1 (received 2)" in given[0]
    assert "did you mean name?" in given[1]
    assert "their sum is 0.7" in given[2]
    assert "budget.trials must be a whole number (received '10')" in given[3]
    assert "did you mean MobileNetV2?" in given[5]
    assert "its alphas: 0.25, 0.5, 0.75, 1" in given[6]
    assert "did you mean fine_tune?" in given[7]
    assert "low must be below high (low 4, high 1)" in given[8]
    assert "strategy cannot have this value (received 'fine_tun')" in given[9]
    assert "space.dropout.choices[1] must be below 1" in given[10]
    assert "unknown key space.dropout.foo (received 1)" in given[11]


@pytest.mark.parametrize(
    ("line", "place", "what"),
    [
        ("unfreeze: 0", "6:13", "space.unfreeze must be at least 1 (received 0)"),
        ("unfreeze: [1, 0]", "6:17", "space.unfreeze[1] must be at least 1 (received 0)"),
        ("unfreeze: {type: int, low: 0, high: 2}", "6:30", "space.unfreeze.low must be at least 1"),
        ("unfreeze: {low: 1, high: 2}", "6:3", "space.unfreeze.type is missing"),
        ("unfreeze: {choice: [1]}", "6:14", "did you mean choices?"),
        ("unfreeze: 1.5", "6:13", "a whole number"),
        ("unfreeze: true", "6:13", "a whole number (received true)"),
        ("learning_rate: .nan", "6:18", "a finite number"),
        ("learning_rate: {type: float, low: 1e-3, high: 1e-3}", "6:3", "low must be below high"),
        ("dropout: {type: float, low: 0, high: 0.5, log: true}", "6:3", "must start above 0"),
        ("unfreeze: {type: int, low: 1, high: 9, step: 2, log: true}", "6:3", "has no step"),
        ("image_size: {type: int, low: 96, high: 128}", "6:3", "takes choices, not a range"),
        ("unfreeze: {choices: [1], low: 1}", "6:3", "both choices and a range"),
        ("image_size: [96, 96]", "6:3", "the choice 96 is there twice"),
        ("augment: null", "6:12", "write the word none"),
        ("augment:", "6:3", "one of none, light, strong, randaugment or values of your own"),
        ("pooling: []", "6:12", "a list with at least one entry"),
        ("dropout: {choices: [0.1], when: {poling: avg}}", "6:36", "did you mean pooling?"),
        ("dropout: {choices: [0.1], when: {unfreeze: 0}}", "6:46", "cannot have this value"),
        ("pooling: {choices: [avg], when: {pooling: avg}}", "6:29", "in a circle"),
    ],
)
def test_a_parameter_that_is_wrong(line, place, what):
    mistake = only(PLAIN + f"  {line}\n")
    assert mistake.startswith(f"a.yaml:{place}: ")
    assert what in mistake


@pytest.mark.parametrize(
    ("backbone", "column", "what"),
    [
        ("resnet50v2", 13, "did you mean ResNet50V2?"),
        ("[VGG16, Xyzzyplugh]", 21, "`tlsearch backbones` lists them"),
        ("{name: VGG16, alpha: 1.0}", 34, "VGG16 has no alpha at all"),
        ("{choices: [{name: MobileNet, weights: imagnet}]}", 51, "did you mean imagenet?"),
        ("{alpha: 0.5}", 13, "space.backbone.name is missing"),
        ("[VGG16, 3]", 21, "must be a name or a mapping"),
    ],
)
def test_a_backbone_that_is_wrong(backbone, column, what):
    mistake = only(PLAIN.replace("MobileNet", backbone))
    place, _, rest = mistake.partition(": ")
    assert what in rest
    if "name is missing" not in what:
        assert place == f"a.yaml:5:{column}"


def test_photos_too_small_for_a_backbone():
    text = PLAIN.replace("MobileNet", "[MobileNet, Xception]")
    assert load(written(text + "  image_size: [null, 96]\n"))
    mistake = only(text + "  image_size: [64, 96]\n")
    assert mistake.startswith("a.yaml:6:16: Xception cannot see photos so small (received 64)")
    assert "smallest image_size is 71" in mistake
    assert load(written(text + "  image_size: {choices: [64], when: {backbone: MobileNet}}\n"))


def test_backbones_of_ones_own():
    text = PLAIN.replace("MobileNet", "[nets/mine.keras, kerashub:resnet_50, VGG16]")
    names = [choice.name for choice in load(written(text)).space.backbone.choices]
    assert names == [str(Path.cwd() / "nets/mine.keras"), "kerashub:resnet_50", "VGG16"]


def test_a_circle_through_a_default_condition():
    text = PLAIN + "  strategy: {choices: [fine_tune], when: {unfreeze: 1}}\n"
    assert "strategy needs unfreeze needs strategy" in only(text)


def test_a_condition_may_name_a_value_that_an_override_took_away():
    text = PLAIN + "  strategy: [feature_extraction, fine_tune]\n"
    text += "  unfreeze: {type: int, low: 1, high: 4, when: {strategy: fine_tune}}\n"
    sweep = load(written(text), ["space.strategy=feature_extraction"])
    assert load(written(dump(sweep))) == sweep


def test_a_condition_on_a_backbone_names_its_label():
    text = PLAIN.replace("MobileNet", "[VGG16, {name: MobileNet, alpha: 0.5}]")
    when = "  dropout: {{choices: [0.1], when: {{backbone: {}}}}}\n"
    assert load(written(text + when.format("MobileNet(alpha=0.5)"))).space.dropout.when
    assert "did you mean MobileNet(alpha=0.5)?" in only(text + when.format("MobileNet"))


def test_duplicate_keys_name_both_places():
    mistake = only(PLAIN + "name: again\n")
    assert mistake.startswith("a.yaml:6:1: ")
    assert "line 2, column 1" in mistake


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("", "1:1", "the file is empty"),
        ("# nothing\n", "1:1", "the file is empty"),
        ("- a\n", "1:1", "is a mapping of keys"),
        ("a: [1\n", "2:1", "not valid YAML"),
        ("a: 1\n\tb: 2\n", "2:1", "indent with spaces"),
        ("a:1\nb: 2\n", "2:2", "a space after the colon"),
        ("---\na: 1\n---\nb: 2\n", "3:1", "one YAML document a file"),
        ("a: 'x\n", "2:1", "close every bracket and quote"),
        ("a: \x07\n", "1:1", "not YAML"),
    ],
)
def test_text_that_is_no_sweep(text, place, what):
    mistake = only(text)
    assert mistake.startswith(f"a.yaml:{place}: ")
    assert what in mistake


def test_tags_and_circular_aliases_are_refused():
    given = "\n".join(mistakes(PLAIN + "budget: !!python/name:os.system x\ntrain: &t {a: *t}\n"))
    assert "a.yaml:6:9: the tag" in given
    assert "an alias that holds itself" in given


def test_aliases_work():
    text = PLAIN.replace("name: plain", "name: &n plain") + "export: {register: *n}\n"
    assert load(written(text)).export.register_as == "plain"


def test_files_that_cannot_be_read(tmp_path):
    written(PLAIN)
    with pytest.raises(SweepFileError, match=r"b\.yaml.*No such file[^$]*did you mean a\.yaml\?"):
        load("b.yaml")
    with pytest.raises(SweepFileError, match=r"directory[^$]*a\.yaml"):
        load(tmp_path)
    Path("a.yaml").write_bytes(PLAIN.encode() + b"# \xff\n")
    with pytest.raises(SweepFileError, match=r"a\.yaml:6:1: not UTF-8 text \(received byte 0xff\)"):
        load("a.yaml")


def test_a_byte_order_mark_is_no_mistake():
    Path("a.yaml").write_text(PLAIN, encoding="utf-8-sig")
    assert load("a.yaml").name == "plain"


def test_the_kinds_of_parameters():
    text = PLAIN + "  unfreeze: {type: int, low: 1, high: 4}\n  hidden_units: [0, 64]\n"
    space = load(written(text)).space
    assert isinstance(space.unfreeze, IntRange)
    assert isinstance(space.hidden_units, Choices)


def outcome(values) -> list[str]:
    try:
        load(written(json.dumps(values)))
    except SweepFileError as error:
        return error.mistakes
    return []


def test_no_mangled_sweep_ends_in_another_error():
    """Every key and item of a sweep, replaced by every kind of nonsense."""
    whole = PLAIN.replace("MobileNet", "[VGG16, {name: MobileNet, alpha: 0.5}]")
    whole += "  unfreeze: {type: int, low: 1, high: 4, when: {strategy: [fine_tune]}}\n"
    whole += "train: {early_stopping: {patience: 1}}\n"
    values = YAML(typ="safe", pure=True).load(whole)
    refused = []
    for path in paths(values):
        for odd in (None, True, -1, 0.5, "x", [], [None], {}, {"x": 1}, {"choices": {}}, [[1]]):
            mangled = copy.deepcopy(values)
            *parents, last = path
            reduce(lambda node, step: node[step], parents, mangled)[last] = odd
            refused += outcome(mangled)
    assert len(refused) > 100
    assert all(line.startswith("a.yaml:1:") for line in refused)


def paths(node):
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in items:
        yield (key,)
        if isinstance(value, (dict, list)):
            yield from ((key, *rest) for rest in paths(value))
