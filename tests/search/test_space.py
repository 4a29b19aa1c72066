"""Sampling the space: conditions, order, and what Optuna gets to see."""

from __future__ import annotations

import optuna
import pytest
from optuna.trial import FixedTrial

from tlsearch.backbones.table import default_image_size
from tlsearch.config.schema import Space
from tlsearch.errors import UsageError
from tlsearch.search.space import ordered, sample, searched

optuna.logging.set_verbosity(optuna.logging.ERROR)


def _study(seed=0):
    return optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))


def _samples(space, count=100):
    study = _study()
    trials = [study.ask() for _ in range(count)]
    return trials, [sample(space, trial) for trial in trials]


def test_conditions_decide_what_applies(make_sweep):
    _, found = _samples(make_sweep().space)
    assert {one.strategy for one in found} == {"feature_extraction", "fine_tune"}
    for one in found:
        fine_tunes = one.strategy == "fine_tune"
        assert (one.unfreeze is not None) == fine_tunes
        assert (one.learning_rate is not None) == fine_tunes


def test_values_lie_within_their_ranges_and_reach_both_ends(make_sweep):
    _, found = _samples(make_sweep().space)
    assert {one.unfreeze for one in found} == {None, 1, 2, 3, 4}
    assert {one.augment for one in found} == {"none", "light", "strong"}
    assert all(1e-4 <= one.head_learning_rate <= 1e-2 for one in found)
    assert min(one.head_learning_rate for one in found) < 1e-3 < 3e-3
    assert max(one.head_learning_rate for one in found) > 3e-3


def test_optuna_never_sees_a_single_choice(make_sweep):
    space = make_sweep(space={"backbone": "MobileNet", "augment": ["none", "light"]}).space
    (trial, *_), found = _samples(space)
    assert set(trial.params) == {"augment"}
    assert {one.image_size for one in found} == {224}
    assert {one.head_learning_rate for one in found} == {1e-3}
    assert searched(space) == ["augment"]


def test_backbones_go_by_their_labels(make_sweep):
    trials, found = _samples(make_sweep().space)
    labels = {trial.params["backbone"] for trial in trials}
    assert labels == {"MobileNet(alpha=0.25)", "MobileNetV2"}
    for trial, one in zip(trials, found, strict=True):
        assert one.backbone.label == trial.params["backbone"]
    assert {one.backbone.alpha for one in found} == {0.25, None}


def test_sampling_again_changes_nothing(make_sweep):
    space = make_sweep().space
    trials, found = _samples(space)
    assert [sample(space, trial) for trial in trials] == found


def test_a_finished_trial_gives_its_configuration_back(make_sweep):
    space = make_sweep().space
    study = _study()
    trial = study.ask()
    configuration = sample(space, trial)
    study.tell(trial, 0.5)
    assert sample(space, study.trials[0]) == configuration


def test_what_others_depend_on_comes_first():
    space = Space.model_validate(
        {
            "backbone": {"choices": ["MobileNet"], "when": {"augment": "light"}},
            "augment": {"choices": ["none", "light"], "when": {"dropout": 0.5}},
            "dropout": [0.1, 0.5],
        }
    )
    names = [name for name, _ in ordered(space)]
    assert names.index("dropout") < names.index("augment") < names.index("backbone")
    assert sorted(names) == sorted(Space.model_fields)


def test_a_condition_on_a_parameter_that_does_not_apply_is_not_met():
    space = Space.model_validate(
        {
            "backbone": "MobileNet",
            "strategy": ["feature_extraction", "fine_tune"],
            "unfreeze": {"choices": [1, 2], "when": {"strategy": "fine_tune"}},
            "hidden_units": {"choices": [8, 16], "when": {"unfreeze": [1, 2]}},
        }
    )
    frozen = sample(space, FixedTrial({"strategy": "feature_extraction"}))
    assert (frozen.unfreeze, frozen.hidden_units) == (None, 0)
    tuned = sample(space, FixedTrial({"strategy": "fine_tune", "unfreeze": 2, "hidden_units": 16}))
    assert (tuned.unfreeze, tuned.hidden_units) == (2, 16)


def test_the_image_size_of_a_backbone_that_is_not_in_the_table_must_be_said():
    space = Space.model_validate({"backbone": "own.keras"})
    with pytest.raises(UsageError, match=r"image size of own\.keras is not known"):
        default_image_size(space.backbone.choices[0].name)


MINE = {"name": "mine", "rotation": 20}


def test_a_strength_is_asked_only_where_photos_are_augmented():
    space = Space.model_validate(
        {
            "backbone": "MobileNet",
            "augment": ["none", "light", MINE],
            "augment_strength": {"type": "float", "low": 0.5, "high": 1.5, "step": 0.25},
        }
    )
    trials, found = _samples(space)
    for trial, one in zip(trials, found, strict=True):
        assert ("augment_strength" in trial.params) == (one.augment != "none")
        assert ("augment_strength" in one.flat()) == (one.augment != "none")
    strengths = {one.augment_strength for one in found if one.augment != "none"}
    assert strengths == {0.5, 0.75, 1.0, 1.25, 1.5}


def test_a_strength_keeps_its_own_condition():
    space = Space.model_validate(
        {
            "backbone": "MobileNet",
            "strategy": ["feature_extraction", "fine_tune"],
            "augment": ["none", "light"],
            "augment_strength": {"choices": [1, 2], "when": {"strategy": "fine_tune"}},
        }
    )
    trials, found = _samples(space)
    for trial, one in zip(trials, found, strict=True):
        asked = one.augment == "light" and one.strategy == "fine_tune"
        assert ("augment_strength" in trial.params) == asked


def test_policies_go_by_their_names():
    space = Space.model_validate({"backbone": "MobileNet", "augment": ["randaugment", MINE]})
    trials, found = _samples(space, 20)
    assert {trial.params["augment"] for trial in trials} == {"randaugment", "mine"}
    assert {one.flat()["augment"] for one in found} == {"randaugment", "mine"}
    own = next(one.augment for one in found if one.flat()["augment"] == "mine")
    assert (own.rotation, own.flip) == (20, 0.5)


def test_mixing_is_off_unless_it_is_searched():
    plain = sample(Space.model_validate({"backbone": "MobileNet"}), FixedTrial({}))
    assert (plain.mixup, plain.cutmix) == (0, 0)
    space = Space.model_validate(
        {
            "backbone": "MobileNet",
            "mixup": [0, 0.2],
            "cutmix": {"type": "float", "low": 0, "high": 1},
        }
    )
    assert searched(space) == ["mixup", "cutmix"]
    mixed = sample(space, FixedTrial({"mixup": 0.2, "cutmix": 0.7}))
    assert (mixed.flat()["mixup"], mixed.flat()["cutmix"]) == (0.2, 0.7)
