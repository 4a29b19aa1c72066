"""What trials are expected to read, and for how many epochs."""

from __future__ import annotations

import pytest

from tlsearch.augmentation.renderer import renderer
from tlsearch.config.schema import Sweep
from tlsearch.training.demand import OWN, Demand, Expected, Reading

LIGHT = renderer("light").name
TUNED = {"strategy": "fine_tune"}


def demand(space=None, data=None, searched=None, **rest) -> Demand:
    plain = {"backbone": "MobileNetV2", "image_size": 160}
    sweep = {
        "version": 1,
        "name": "a",
        "data": {"source": "generated:flowers", **(data or {})},
        "budget": {"trials": 24},
        "train": {"epochs": 10, "head_epochs": 3},
        "space": {**plain, **(space or {})},
    }
    return Demand(Sweep.model_validate({**sweep, **rest}), searched)


def pooled(rendition="", backbone="MobileNetV2", pooling="avg"):
    return Reading(backbone, 160, None, pooling, rendition)


def block(depth, rendition="", backbone="MobileNetV2"):
    return Reading(backbone, 160, depth, "", rendition)


MIXED = {
    "strategy": ["feature_extraction", "fine_tune"],
    "unfreeze": {"choices": [1, 3], "when": TUNED},
}


def test_heads_and_head_epochs_read_the_pooled_output_and_depths_their_cuts():
    told = demand(MIXED)
    assert told.readings == {
        pooled(): Expected(24, 12 * 10 + 12 * 3),
        block(1): Expected(6, 6 * 7),
        block(3): Expected(6, 6 * 7),
    }
    assert (told.deepest, told.on_photos) == (3, 0)


def test_trials_are_spread_over_backbones_sizes_and_renditions():
    told = demand({**MIXED, "backbone": ["MobileNet", "MobileNetV2"], "augment": ["none", "light"]})
    assert told.readings.keys() >= {pooled(LIGHT, "MobileNet"), block(3, LIGHT)}
    assert told.of(block(3, LIGHT)) == Expected(1.5, 1.5 * 7)
    assert sum(one.trials for one in told.readings.values()) == pytest.approx(24 + 12)
    assert told.renderers[LIGHT].name == LIGHT


def test_screening_leaves_more_trials_to_each_backbone():
    names = ["MobileNet", "MobileNetV2", "ResNet50V2", "VGG16"]
    space = {"backbone": names, "image_size": 160}
    assert demand(space).of(pooled()).trials == 6
    assert demand(space, searched=2).of(pooled()).trials == 12


def test_poolings_share_what_lies_below_them():
    told = demand({**MIXED, "pooling": ["avg", "max"]})
    assert told.of(pooled(pooling="max")).trials == 12
    assert told.of(block(1)).trials == 6


def test_who_asks_is_there():
    told = demand({**MIXED, "augment": ["none", "light"]}, budget={"trials": 2})
    assert told.readings[block(3, LIGHT)].trials == pytest.approx(0.25)
    assert told.of(block(3, LIGHT)) == Expected(1, 7)
    assert told.of(block(2)) == Expected(1, 10)


def test_a_strength_of_its_own_is_shared_with_nobody():
    strength = {"type": "float", "low": 0.5, "high": 1.5}
    told = demand({**MIXED, "augment": "light", "augment_strength": strength})
    assert told.readings[block(1, OWN)].trials == 6
    assert told.of(block(1, renderer("light", 0.7).name)) == Expected(1, 7)
    assert told.of(block(1, OWN)) == Expected(1, 7)
    stepped = {**strength, "step": 0.5}
    told = demand({"augment": "light", "augment_strength": stepped})
    assert told.of(pooled(renderer("light", 1.5).name)).trials == 8


def test_some_trials_show_photos():
    assert demand({"mixup": [0.0, 0.2]}).on_photos == 0.5
    assert demand({"cutmix": {"type": "float", "low": 0.0, "high": 1.0}}).on_photos == 1
    assert demand({"strategy": ["feature_extraction", "from_scratch"]}).on_photos == 0.5
    online = demand({"augment": ["none", "light"]}, {"views": "online"})
    assert online.on_photos == 0.5
    assert online.readings == {pooled(): Expected(12, 120)}


def test_one_view_and_no_strength_are_the_photos_themselves():
    assert demand({"augment": "light"}, {"views": 1}).readings.keys() == {pooled()}
    weak = demand({"augment": "light", "augment_strength": [0.0, 1.0]})
    assert weak.readings.keys() == {pooled(), pooled(LIGHT)}


def test_from_scratch_reads_nothing():
    told = demand({"strategy": "from_scratch"})
    assert (told.readings, told.deepest, told.on_photos) == ({}, 0, 1)


def test_without_epochs_of_the_head_alone_only_the_cut_is_read():
    told = demand({"strategy": "fine_tune"}, train={"epochs": 5, "head_epochs": 0})
    assert told.readings == {block(1): Expected(24, 120)}
