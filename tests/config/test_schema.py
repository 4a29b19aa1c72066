from __future__ import annotations

import copy
import pickle

import pytest
from pydantic import ValidationError

from tlsearch.config.schema import Sweep

SWEEP = {
    "version": 1,
    "name": "a",
    "data": {"source": "x"},
    "space": {"backbone": ["VGG16", {"name": "MobileNet", "alpha": 0.5}]},
    "export": {"register": "a"},
}


def test_a_sweep_survives_pickle_and_copy():
    sweep = Sweep.model_validate(SWEEP)
    assert pickle.loads(pickle.dumps(sweep)) == sweep
    assert copy.deepcopy(sweep) == sweep


@pytest.mark.parametrize(
    "budget", [{"trials": "3"}, {"trials": True}, {"trials": 3.0}, {"hours": float("inf")}]
)
def test_values_are_not_bent_to_the_type(budget):
    with pytest.raises(ValidationError):
        Sweep.model_validate({**SWEEP, "budget": budget})


def test_labels():
    choices = Sweep.model_validate(SWEEP).space.backbone.choices
    assert [choice.label for choice in choices] == ["VGG16", "MobileNet(alpha=0.5)"]


@pytest.mark.parametrize(
    "backbones",
    [
        [{"name": "VGG16", "weights": f"{folder}/backbone.weights.h5"} for folder in "ab"],
        ["a/net.keras", "b/net.keras"],
    ],
)
def test_two_backbones_of_one_label_are_refused(backbones):
    with pytest.raises(ValidationError, match=r"two backbones are called .* rename one"):
        Sweep.model_validate({**SWEEP, "space": {"backbone": backbones}})
