"""What follows from a ranking: the narrowed space, the first trials, and what is said."""

from __future__ import annotations

import json

import pytest

from tlsearch.errors import StudyMismatchError
from tlsearch.search.screened import ScreenedBackbone, ScreeningResult, remark
from tlsearch.search.screening import candidate, is_wanted
from tlsearch.search.screening_report import metrics
from tlsearch.search.study import SweepStudy

BACKBONES = ["MobileNetV2", {"name": "MobileNet", "alpha": 0.5}, "ResNet50V2", "VGG16"]
SPACE = {"backbone": BACKBONES, "image_size": [160, 224]}


def _row(backbone, *, kept=True, told_apart=True, **facts):
    plain = {
        "image_size": 224,
        "photos": 300,
        "accuracy": 0.8,
        "standard_error": 0.02,
        "published": None,
        "estimate": 0.8,
        "below": {},
        "better_below": None,
        "unfreeze": None,
        "seconds": 2.0,
    }
    return ScreenedBackbone(backbone, kept=kept, told_apart=told_apart, **{**plain, **facts})


@pytest.fixture
def result():
    labels = ("ResNet50V2", "MobileNet(alpha=0.5)", "VGG16", "MobileNetV2")
    rows = tuple(_row(label, kept=place < 2) for place, label in enumerate(labels))
    return ScreeningResult(rows, ("a remark",), 12.5)


@pytest.fixture
def sweep(make_sweep):
    return make_sweep(space=SPACE, search={"pruner": "none", "screening": {"keep": 2}})


def test_the_space_keeps_the_best_in_the_order_of_the_file(result, sweep):
    narrowed = result.narrow(sweep)
    kept = [choice.label for choice in narrowed.space.backbone.choices]
    assert kept == ["MobileNet(alpha=0.5)", "ResNet50V2"]
    assert narrowed.model_copy(update={"space": sweep.space}) == sweep


def test_the_best_are_tried_first_at_the_size_they_were_probed_at(result, sweep, make_sweep):
    sizes = [{"image_size": 224}] * 2
    labels = ["ResNet50V2", "MobileNet(alpha=0.5)"]
    expected = [{"backbone": label, **size} for label, size in zip(labels, sizes, strict=True)]
    assert result.first_trials(sweep) == expected
    fixed = make_sweep(space={**SPACE, "image_size": 224})
    assert result.first_trials(fixed) == [{"backbone": label} for label in labels]


def test_the_study_keeps_the_ranking_and_samples_from_the_narrowed_space(result, sweep, paths):
    SweepStudy.open(sweep, paths).note_screening(result)
    again = SweepStudy.open(sweep, paths)
    assert again.screening == result
    again.enqueue(again.screening.first_trials(sweep))
    found = [again.configure(again.ask()) for _ in range(12)]
    assert [one.backbone.label for one in found[:2]] == result.kept
    assert [one.image_size for one in found[:2]] == [224, 224]
    assert {one.backbone.label for one in found} == set(result.kept)
    last = SweepStudy.open(sweep, paths)
    assert [last.configuration_of(trial) for trial in last.trials()] == found


def test_a_single_backbone_that_is_kept_is_not_searched(sweep, paths):
    rows = tuple(_row(label, kept=label == "VGG16") for label in ("VGG16", "ResNet50V2"))
    study = SweepStudy.open(sweep, paths)
    study.note_screening(ScreeningResult(rows, (), 1.0))
    study.enqueue(study.screening.first_trials(sweep))
    trial = study.ask()
    assert study.configure(trial).backbone.label == "VGG16"
    assert "backbone" not in trial.params


def test_what_is_enqueued_later_must_have_been_kept(result, make_sweep):
    search = {"enqueue": [{"backbone": "ResNet50V2"}, {"image_size": 160}]}
    result.check_enqueued(make_sweep(space=SPACE, search=search))
    search["enqueue"].append({"backbone": "VGG16"})
    with pytest.raises(StudyMismatchError, match="left out") as caught:
        result.check_enqueued(make_sweep(space=SPACE, search=search))
    assert caught.value.received == "VGG16"


def test_it_comes_back_from_json(result):
    assert ScreeningResult.from_dict(json.loads(json.dumps(result.as_dict()))) == result


def test_the_names_of_metrics_are_such_that_mlflow_takes_them(result):
    names = list(metrics(result))
    assert "screening_accuracy/MobileNet alpha 0.5" in names
    assert metrics(result)["screening_seconds"] == 12.5


def test_nothing_is_said_where_all_is_clear():
    assert remark([_row("A"), _row("B"), _row("C", kept=False, told_apart=False)], 0) == ()


def test_it_says_whom_the_photos_do_not_tell_apart():
    rows = [_row("A", told_apart=False), _row("B"), _row("C", told_apart=False)]
    (said,) = remark(rows, 0)
    assert "do not tell apart A and B:" in said


def test_it_says_how_to_keep_what_may_be_as_good():
    rows = [_row("A"), _row("B", told_apart=False), _row("C", kept=False, told_apart=False)]
    assert remark(rows, 0)[1] == "C may be as good as B: search.screening.keep=3 searches it too"


@pytest.mark.parametrize(("deepest", "hint"), [(0, True), (2, True), (3, False)])
def test_it_says_where_lower_layers_are_better_and_how_deep_to_unfreeze(deepest, hint):
    better = {"below": {"block_2": 0.85}, "better_below": "block_2", "unfreeze": 3}
    (said,) = remark([_row("A", **better), _row("B", kept=False, **better)], deepest)
    assert "block_2 reach 0.850, at the top 0.800" in said
    assert ("unfreeze up to 3 blocks" in said) == hint


def test_screening_is_for_more_backbones_than_it_keeps(make_sweep):
    def wanted(screening, **space):
        return is_wanted(make_sweep(space={**SPACE, **space}, search={"screening": screening}))

    assert wanted({"keep": 3})
    assert not wanted({"keep": 4})
    assert not wanted(None)
    assert not wanted({"keep": 3}, strategy="from_scratch")
    assert wanted({"keep": 3}, strategy=["from_scratch", "fine_tune"])


def test_a_backbone_is_probed_at_the_size_nearest_to_what_it_was_trained_at(make_sweep):
    choices = make_sweep(space=SPACE).space.backbone.choices
    assert candidate(choices[0], [96, 160, 256]).image_size == 256
    assert candidate(choices[0], [None, 160]).image_size == 224
    own = choices[0].model_copy(update={"name": "own.keras"})
    assert candidate(own, [96, 160]).image_size == 160


def test_only_what_was_published_of_this_very_network_counts(make_sweep):
    v2, narrow, *_ = make_sweep(space=SPACE).space.backbone.choices
    own = v2.model_copy(update={"weights": "mine.weights.h5"})
    assert candidate(v2, [224]).published == 71.3
    assert candidate(narrow, [224]).published is None
    assert candidate(own, [224]).published is None
