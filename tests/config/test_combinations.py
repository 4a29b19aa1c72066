"""How likely values are before anything is known."""

from __future__ import annotations

from collections import Counter

import optuna
import pytest

from tlsearch.config.combinations import combinations
from tlsearch.config.schema import Space
from tlsearch.search.space import sample

TUNED = {"strategy": "fine_tune"}


def space(**values) -> Space:
    return Space.model_validate({"backbone": ["MobileNet", "MobileNetV2"], **values})


def shares(found):
    return {tuple(values.items()): share for values, share in found}


def test_a_condition_is_looked_up_even_where_nobody_asks_for_it():
    told = space(
        strategy=["feature_extraction", "fine_tune"],
        unfreeze={"type": "int", "low": 1, "high": 2, "when": TUNED},
    )
    assert shares(combinations(told, ["unfreeze"])) == {
        (("strategy", "feature_extraction"),): 0.5,
        (("strategy", "fine_tune"), ("unfreeze", 1)): 0.25,
        (("strategy", "fine_tune"), ("unfreeze", 2)): 0.25,
    }


def test_steps_are_values_and_a_range_without_stands_for_itself():
    stepped = space(mixup={"type": "float", "low": 0.0, "high": 0.3, "step": 0.1})
    found = combinations(stepped, ["mixup"])
    assert [values["mixup"] for values, _ in found] == pytest.approx([0, 0.1, 0.2, 0.3])
    assert [share for _, share in found] == [0.25] * 4
    free = space(mixup={"type": "float", "low": 0.0, "high": 0.3})
    assert combinations(free, ["mixup"]) == [({"mixup": free.mixup}, 1.0)]
    fine = space(mixup={"type": "float", "low": 0.0, "high": 0.3, "step": 0.0001})
    assert len(combinations(fine, ["mixup"])) == 1


def test_a_step_that_does_not_reach_the_end():
    told = space(strategy="fine_tune", unfreeze={"type": "int", "low": 1, "high": 6, "step": 2})
    assert [values["unfreeze"] for values, _ in combinations(told, ["unfreeze"])] == [1, 3, 5]


def test_shares_are_what_optuna_samples():
    told = space(
        strategy=["feature_extraction", "fine_tune"],
        unfreeze={"type": "int", "low": 1, "high": 4, "log": True, "when": TUNED},
        augment={"choices": ["none", "light"], "when": {"unfreeze": [1, 2]}},
    )
    names = ("backbone", "strategy", "unfreeze", "augment")
    expected = {
        (values["backbone"].label, *(values.get(name) for name in names[1:-1])): 0.0
        for values, _ in combinations(told, names)
    }
    for values, share in combinations(told, names):
        expected[values["backbone"].label, values["strategy"], values.get("unfreeze")] += share
    assert sum(expected.values()) == pytest.approx(1)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = Counter()
    for _ in range(2000):
        chosen = sample(told, study.ask())
        drawn[chosen.backbone.label, chosen.strategy, chosen.unfreeze] += 1
    assert drawn.keys() == expected.keys()
    for name, share in expected.items():
        assert drawn[name] / 2000 == pytest.approx(share, abs=0.04)
