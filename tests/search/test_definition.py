"""What may not change while a study goes on, in the words of today and of before."""

from __future__ import annotations

import json

import optuna

from tlsearch.search.definition import completed, definition
from tlsearch.search.storage import StudyPlace
from tlsearch.search.study import DEFINITION, SweepStudy

NEW = ("augment_strength", "mixup", "cutmix")


def _as_before_they_were_there(sweep):
    """As a study holds it that was made before strengths, mixing and steps were."""
    old = json.loads(json.dumps(definition(sweep)))
    for name in NEW:
        del old["space"][name]
    for parameter in old["space"].values():
        if parameter.get("type") == "float":
            del parameter["step"]
    return old


def test_a_definition_of_before_means_the_defaults(make_sweep):
    sweep = make_sweep()
    old = _as_before_they_were_there(sweep)
    assert old != definition(sweep)
    assert completed(old) == definition(sweep)


def test_one_that_says_something_else_still_does(make_sweep):
    searched = make_sweep(space={"backbone": "MobileNet", "augment": "light", "cutmix": [0, 1]})
    old = _as_before_they_were_there(searched)
    assert completed(old)["space"]["cutmix"]["choices"] == [0.0]
    assert completed(old) != definition(searched)


def test_what_is_no_sweep_any_more_differs(make_sweep):
    old = _as_before_they_were_there(make_sweep())
    old["space"]["of_another_age"] = {"choices": [1]}
    assert completed(old) == old


def test_a_study_of_before_goes_on(make_sweep, paths):
    sweep = make_sweep()
    SweepStudy.open(sweep, paths)
    study = optuna.load_study(study_name=sweep.name, storage=StudyPlace.of(sweep, paths).open())
    study.set_user_attr(DEFINITION, json.dumps(_as_before_they_were_there(sweep)))
    assert SweepStudy.open(sweep, paths).trials() == []
