"""What a sweep file may say about augmentation, and what it is told where that is wrong."""

from __future__ import annotations

import pytest

from tlsearch.config.configuration import Configuration
from tlsearch.config.loading import dump, load
from tlsearch.config.policy import LIMITS, Policy
from tlsearch.config.schema import BackboneChoice, Sweep
from tlsearch.errors import SweepFileError

PLAIN = "version: 1\nname: a\ndata: {source: photos}\nspace:\n  backbone: VGG16\n"
MINE = "{name: mine, rotation: 20, crop: 0.7}"


@pytest.fixture
def file(tmp_path):
    """A function from lines of `space` to the sweep file that holds them."""

    def write(*lines):
        path = tmp_path / "a.yaml"
        path.write_text(PLAIN + "".join(f"  {line}\n" for line in lines))
        return path

    return write


def mistake(path, *overrides):
    with pytest.raises(SweepFileError) as caught:
        load(path, overrides)
    (only,) = caught.value.mistakes
    return only.replace(f"{path}:", "")


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("augment: randaugment", ["randaugment"]),
        (f"augment: {MINE}", ["mine"]),
        (f"augment: [none, light, {MINE}, {{name: other, hue: 0.1}}]", None),
        (f"augment: {{choices: [strong, {MINE}]}}", ["strong", "mine"]),
    ],
)
def test_words_and_policies_of_ones_own(file, line, names, tmp_path):
    sweep = load(file(line))
    found = [getattr(one, "name", one) for one in sweep.space.augment.choices]
    assert found == (names or ["none", "light", "mine", "other"])
    dumped = tmp_path / "dumped.yaml"
    dumped.write_text(dump(sweep))
    assert load(dumped) == sweep


def test_a_policy_has_defaults_that_change_nothing_but_the_side():
    policy = Policy(name="mine", rotation=20)
    assert (policy.flip, policy.rotation, policy.crop) == (0.5, 20, 1)
    others = LIMITS.keys() - {"rotation", "magnitude"}
    assert {getattr(policy, name) for name in others} == {0}
    assert policy.operations == 0


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (
            "augment: lots",
            "6:12: space.augment must be one of none, light, strong, randaugment or values of "
            "your own under a name (received 'lots')",
        ),
        ("augment: rndaugment", "did you mean randaugment?"),
        ("augment: [none, 3]", "6:19: space.augment[1] must be one of"),
        ("augment: {rotation: 20}", "6:3: space.augment.name is missing\n  hint: add `name: mine`"),
        ("augment: {name: a, rotatoin: 2}", "unknown key space.augment.rotatoin (received 2)"),
        ("augment: {name: a, rotatoin: 2}", "did you mean rotation?"),
        ("augment: [none, {name: a, hue: 3}]", "6:34: space.augment[1].hue must be at most 0.5 "),
        ("augment: {name: a, crop: 0}", "space.augment.crop must be at least 0.05"),
        ("augment: {name: a b}", "space.augment.name must be 1 to 40 letters, digits, dots"),
        ("augment: [{name: ''}]", "space.augment[0].name must be 1 to 40 letters"),
        ("augment: {name: light, hue: 0.1}", "light has values already"),
        ("augment: [{name: a}, {name: a, hue: 0.1}]", "two policies are called a"),
        ("augment: {type: float, low: 1, high: 2}", "takes choices, not a range"),
        ("augment_strength: -1", "space.augment_strength must be at least 0 (received -1)"),
        ("augment_strength: [1, 6]", "space.augment_strength[1] must be at most 5 (received 6)"),
        ("mixup: 11", "space.mixup must be at most 10"),
        ("cutmix: on", "space.cutmix must be a number (received 'on')"),
        ("dropout: {type: float, low: 0, high: 0.5, step: 0.2}", "no whole steps lead from low"),
        ("dropout: {type: float, low: 0.1, high: 0.3, step: 0}", "step must be above 0"),
        (
            "learning_rate: {type: float, low: 0.1, high: 0.3, log: true, step: 0.1}",
            "a logarithmic range has no step (step 0.1)",
        ),
    ],
)
def test_values_that_are_wrong(file, line, what):
    with pytest.raises(SweepFileError) as caught:
        load(file(line))
    assert what in str(caught.value)


@pytest.mark.parametrize("text", ["0.1", "0.25", "0.05"])
def test_steps_may_be_such_that_binary_numbers_miss_the_end(file, text):
    line = f"dropout: {{type: float, low: 0, high: 0.5, step: {text}}}"
    assert load(file(line)).space.dropout.step == float(text)


def test_a_strength_is_asked_where_there_is_something_to_be_strong(file):
    space = load(file(f"augment: [none, light, {MINE}]", "augment_strength: [0.5, 1]")).space
    assert space.augment_strength.when == {"augment": ["light", "mine"]}
    assert load(file()).space.augment_strength.when == {"augment": []}
    own = "augment_strength: {choices: [1, 2], when: {augment: light, strategy: fine_tune}}"
    kept = load(file("augment: [light, strong]", "strategy: [fine_tune]", own)).space
    assert kept.augment_strength.when == {"augment": "light", "strategy": "fine_tune"}


def test_a_strength_of_nothing_is_a_mistake(file):
    told = mistake(file("augment_strength: [0.5, 1]"))
    assert told.startswith("6:3: space.augment_strength has no effect")
    assert "augment: [none, light]" in told
    assert load(file("augment_strength: 1")).space.augment_strength.choices == [1]


def test_it_is_none_where_the_command_line_turns_augmentation_off(file):
    path = file("augment: [none, light]", "augment_strength: [0.5, 1]")
    assert load(path, ["space.augment=none"]).space.augment.choices == ["none"]
    assert "has no effect" in mistake(file(), "space.augment_strength=[1, 2]")


def test_mixing_is_searched_in_any_form(file):
    space = load(file("mixup: [0, 0.2]", "cutmix: {type: float, low: 0, high: 1}")).space
    assert space.mixup.choices == [0, 0.2]
    assert (space.cutmix.low, space.cutmix.high) == (0, 1)


@pytest.mark.parametrize(("override", "views"), [("3", 3), ("online", "online")])
def test_views_are_a_number_or_online(file, override, views):
    assert load(file(), [f"data.views={override}"]).data.views == views


@pytest.mark.parametrize("views", ["0", "often", "1.5", "null"])
def test_they_are_nothing_else(file, views):
    told = mistake(file(), f"data.views={views}")
    assert "data.views must be" in told
    assert "or online" in told


def test_a_single_view_is_no_augmentation(file):
    told = mistake(file("augment: [none, light]"), "data.views=1")
    assert "data.views leaves augmented trials the photos as they are (received 1)" in told
    assert "views: online" in told
    assert load(file(), ["data.views=1"]).data.views == 1
    assert load(file("augment: light", "strategy: from_scratch"), ["data.views=1"]).data.views == 1


def test_overrides_reach_into_a_policy(file):
    path = file(f"augment: {MINE}")
    policy = load(path, ["space.augment.rotation=30"]).space.augment.choices[0]
    assert (policy.name, policy.rotation, policy.crop) == ("mine", 30, 0.7)
    other = load(path, ["space.augment={name: m, hue: 0.2}"]).space.augment.choices[0]
    assert (other.name, other.rotation, other.hue) == ("m", 0, 0.2)
    assert load(path, ["space.augment=[light]"]).space.augment.choices == ["light"]


def test_conditions_may_name_a_policy_of_ones_own(file):
    line = f"augment: [light, {MINE}]"
    space = load(file(line, "dropout: {choices: [0.1, 0.2], when: {augment: mine}}")).space
    assert space.dropout.when == {"augment": "mine"}
    told = mistake(file(line, "dropout: {choices: [0.1, 0.2], when: {augment: mime}}"))
    assert "augment cannot have this value (received 'mime')" in told
    assert "did you mean mine?" in told


def test_tables_show_plain_values():
    backbone = BackboneChoice(name="VGG16")
    plain = Configuration(backbone=backbone, image_size=96).flat()
    assert (plain["augment"], plain["mixup"], plain["cutmix"]) == ("none", 0, 0)
    assert "augment_strength" not in plain
    own = Configuration(
        backbone=backbone, image_size=96, augment=Policy(name="mine", hue=0.1), augment_strength=0.5
    ).flat()
    assert (own["augment"], own["augment_strength"]) == ("mine", 0.5)
    assert all(isinstance(value, (str, int, float)) for value in {**plain, **own}.values())


def test_a_sweep_with_a_policy_survives_pickle_by_value(file):
    sweep = load(file(f"augment: [none, {MINE}]", "augment_strength: [1, 2]"))
    assert Sweep.model_validate(sweep.model_dump(by_alias=True)) == sweep
