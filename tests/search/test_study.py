"""The study on disk: continued as if nothing had happened, and held against its sweep."""

from __future__ import annotations

import os

import optuna
import pytest
from optuna.trial import TrialState

from tlsearch.errors import NoResultError, SetupError, StudyMismatchError, UsageError
from tlsearch.search.leaderboard import leaderboard
from tlsearch.search.study import SweepStudy


def _value(configuration):
    """Something to optimise: best with augmentation and a head learning rate of 1e-3."""
    return (configuration.augment != "none") - abs(configuration.head_learning_rate - 1e-3)


def _run(study, count):
    """Ask, sample and tell so many trials; their configurations."""
    found = []
    for _ in range(count):
        trial = study.ask()
        found.append(study.configure(trial))
        study.tell(trial, TrialState.COMPLETE, _value(found[-1]), {"best_value": 0.5})
    return found


@pytest.fixture
def sweep(make_sweep):
    return make_sweep(budget={"trials": 12})


@pytest.fixture
def study(sweep, paths):
    return SweepStudy.open(sweep, paths)


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_an_interrupted_search_proposes_what_an_undisturbed_one_does(make_sweep, paths, sampler):
    search = {"sampler": sampler, "pruner": "none", "seed": 3}
    whole = make_sweep(name="whole", budget={"trials": 12}, search=search)
    parts = make_sweep(name="parts", budget={"trials": 12}, search=search)
    undisturbed = _run(SweepStudy.open(whole, paths), 12)
    found = [one for count in (5, 1, 6) for one in _run(SweepStudy.open(parts, paths), count)]
    assert found == undisturbed
    assert len({one.head_learning_rate for one in found}) == 12


def test_another_seed_proposes_others(make_sweep, paths):
    searches = [{"sampler": "random", "pruner": "none", "seed": seed} for seed in (0, 1)]
    studies = [
        SweepStudy.open(make_sweep(name=f"s{search['seed']}", search=search), paths)
        for search in searches
    ]
    assert _run(studies[0], 1) != _run(studies[1], 1)


def test_a_leftover_keeps_its_number_and_parameters(study, sweep, paths):
    _run(study, 2)
    configuration = study.configure(study.ask())
    study.leave()
    again = SweepStudy.open(sweep, paths)
    leftover = again.claim()
    assert leftover.number == 2
    assert again.configure(leftover) == configuration
    again.tell(leftover, TrialState.COMPLETE, 0.5, {})
    assert again.running() == []
    assert [trial.number for trial in again.finished()] == [0, 1, 2]


def test_a_leftover_that_was_never_sampled_is_sampled_as_it_would_have_been(make_sweep, paths):
    whole, parts = make_sweep(name="whole"), make_sweep(name="parts")
    undisturbed = _run(SweepStudy.open(whole, paths), 3)
    killed = SweepStudy.open(parts, paths)
    _run(killed, 2)
    killed._study.ask()  # And dies before it has said whose it is.
    assert SweepStudy.open(parts, paths).running()[0].params == {}
    again = SweepStudy.open(parts, paths)
    leftover = again.claim()
    assert leftover.number == 2
    assert again.configure(leftover) == undisturbed[2]


def test_the_budget_counts_trials_however_they_ended(make_sweep, paths):
    study = SweepStudy.open(make_sweep(budget={"trials": 3}), paths)
    ends = [(TrialState.COMPLETE, 0.5), (TrialState.PRUNED, None), (TrialState.FAIL, None)]
    for state, value in ends:
        assert not study.is_spent()
        trial = study.ask()
        study.configure(trial)
        study.tell(trial, state, value, {})
    assert study.is_spent()


def _search_for(sweep, paths, *times):
    """A supervisor that searches from the first of these times to the last."""
    study = SweepStudy.open(sweep, paths)
    for time in times:
        study.crew._turn.now = lambda time=time: time
        study.note_time()
    return study


def test_the_budget_counts_hours_over_all_runs(make_sweep, paths):
    sweep = make_sweep(budget={"trials": 100, "hours": 1})
    study = _search_for(sweep, paths, 1000, 1500, 3000)
    assert study.seconds() == 2000
    assert not study.is_spent()
    study = _search_for(sweep, paths, 9000, 10600)
    assert study.seconds() == 3600
    assert study.is_spent()


def test_hours_of_several_at_the_same_time_count_once(make_sweep, paths):
    sweep = make_sweep(budget={"trials": 100, "hours": 1})
    for times in ((1000, 2000), (1500, 2500), (1600, 1700), (4000, 4100)):
        study = _search_for(sweep, paths, *times)
    assert study.seconds() == 1600


def test_hours_of_a_study_of_an_earlier_version_count(make_sweep, paths):
    sweep = make_sweep(budget={"trials": 100, "hours": 1})
    study = _search_for(sweep, paths, 1000, 1600)
    study._study.set_user_attr("tlsearch.seconds", 3000.0)
    assert study.seconds() == 3600
    assert study.is_spent()


def test_a_larger_budget_continues(study, make_sweep, paths):
    _run(study, 12)
    assert study.is_spent()
    assert not SweepStudy.open(make_sweep(budget={"trials": 13}), paths).is_spent()


@pytest.mark.parametrize(
    ("sections", "change"),
    [
        ({"train": {"epochs": 3}}, "train.epochs: 20 -> 3"),
        (
            {"objective": {"metric": "val_loss", "direction": "minimize"}},
            "objective.metric: val_accuracy -> val_loss",
        ),
        ({"space": {"backbone": "MobileNet"}}, "space.augment.choices"),
        ({"data": {"source": "photos", "split": {"seed": 8}}}, "data.split.seed: 7 -> 8"),
    ],
    ids=["train", "objective", "space", "split"],
)
def test_a_study_of_a_different_sweep_is_refused_with_the_difference(
    study, make_sweep, paths, sections, change
):
    with pytest.raises(StudyMismatchError) as caught:
        SweepStudy.open(make_sweep(**sections), paths)
    assert change in str(caught.value)
    assert "--new" in caught.value.hint
    with pytest.raises(StudyMismatchError):
        SweepStudy.find(make_sweep(**sections), paths)


@pytest.mark.parametrize(
    "sections",
    [
        {"data": {"source": "elsewhere"}},
        {"execution": {"workers": 4}},
        {"on_failure": {"max_attempts": 1}},
        {"export": {"register": "other"}},
    ],
    ids=lambda sections: next(iter(sections)),
)
def test_what_does_not_change_trials_may_change(study, make_sweep, paths, sections):
    assert SweepStudy.open(make_sweep(**sections), paths).trials() == []


def test_other_photos_are_refused(study, sweep, paths):
    study.hold_dataset("a" * 64)
    again = SweepStudy.open(sweep, paths)
    again.hold_dataset("a" * 64)
    with pytest.raises(StudyMismatchError, match="photos are not those") as caught:
        again.hold_dataset("b" * 64)
    assert "bbbbbbbbbbbb" in caught.value.received
    assert "aaaaaaaaaaaa" in caught.value.expected


def test_new_sets_the_old_study_aside(study, sweep, paths):
    _run(study, 2)
    study.ask()
    study.leave()
    fresh = SweepStudy.open(sweep, paths, new=True)
    assert fresh.trials() == []
    storage = f"sqlite:///{paths.optuna_db}"
    (kept,) = set(optuna.get_all_study_names(storage)) - {"tiny"}
    assert kept.startswith("tiny until ")
    old = optuna.load_study(study_name=kept, storage=storage)
    assert [trial.state.name for trial in old.trials] == ["COMPLETE", "COMPLETE", "FAIL"]


def test_new_is_refused_while_others_are_at_work(study, sweep, paths):
    with pytest.raises(UsageError, match="others are at work") as caught:
        SweepStudy.open(sweep, paths, new=True)
    assert f"process {os.getpid()} on" in caught.value.received
    assert SweepStudy.find(sweep, paths) is not None


def test_new_takes_a_changed_sweep(study, make_sweep, paths):
    study.leave()
    changed = make_sweep(train={"epochs": 3})
    SweepStudy.open(changed, paths, new=True)
    assert SweepStudy.find(changed, paths) is not None


def test_finding_makes_nothing(sweep, paths):
    assert SweepStudy.find(sweep, paths) is None
    assert not paths.optuna_db.exists()


def test_finding_another_sweep_finds_nothing(study, make_sweep, paths):
    assert SweepStudy.find(make_sweep(name="another"), paths) is None


def test_an_epoch_is_reported_once(study, sweep, paths):
    trial = study.ask()
    study.configure(trial)
    study.report(trial, 1, 0.3)
    study.leave()
    again = SweepStudy.open(sweep, paths)
    leftover = again.claim()
    again.report(leftover, 1, 0.9)
    again.report(leftover, 2, 0.4)
    assert again.trials()[0].intermediate_values == {1: 0.3, 2: 0.4}


def test_only_trials_with_a_result_can_be_chosen(study):
    _run(study, 1)
    failed = study.ask()
    study.configure(failed)
    study.tell(failed, TrialState.FAIL, None, {})
    assert study.choose(0).number == 0
    assert study.choose(None).number == 0
    for number in (1, 99):
        with pytest.raises(UsageError) as caught:
            study.choose(number)
        assert caught.value.expected == "one of the trials with a result: [0]"


def test_no_complete_trial_means_no_champion(study):
    with pytest.raises(NoResultError, match="no champion"):
        study.champion()


def test_what_was_delivered_is_remembered(study, sweep, paths):
    assert study.delivered() is None
    study.note_delivery(3, paths.sweep("tiny").bundle)
    study.note_run(None, "parent")
    study.note_run(3, "child")
    again = SweepStudy.open(sweep, paths)
    assert (again.delivered(), again.run_of(None), again.run_of(3)) == (3, "parent", "child")
    assert again.run_of(4) is None
    place = again.delivery_place()
    assert place.is_at(paths.sweep("tiny").bundle)
    assert place.is_gone
    paths.sweep("tiny").bundle.mkdir(parents=True)
    assert not place.is_gone


@pytest.mark.parametrize("storage", ["postgresql://127.0.0.1:9/none", "nonsense"])
def test_a_database_that_cannot_be_opened(make_sweep, paths, storage):
    with pytest.raises(SetupError, match="database cannot be opened") as caught:
        SweepStudy.open(make_sweep(search={"storage": storage}), paths)
    assert "search.storage" in caught.value.hint


FIRST = [
    {"backbone": "MobileNetV2", "strategy": "fine_tune", "unfreeze": 3},
    {"augment": "strong", "head_learning_rate": 0.002, "image_size": 224},
]


def test_enqueued_parameters_are_tried_first_and_the_rest_is_sampled(study):
    study.enqueue(FIRST)
    assert study.trials() == []
    first, second, third = _run(study, 3)
    assert (first.backbone.label, first.strategy, first.unfreeze) == ("MobileNetV2", "fine_tune", 3)
    assert (second.augment, second.head_learning_rate) == ("strong", 0.002)
    assert third.head_learning_rate not in (first.head_learning_rate, 0.002)
    assert [trial.number for trial in study.finished()] == [0, 1, 2]


def test_what_is_enqueued_is_enqueued_once_however_often_it_is_killed(sweep, paths, make_sweep):
    whole = SweepStudy.open(make_sweep(name="whole", budget={"trials": 12}), paths)
    whole.enqueue(FIRST)
    undisturbed = _run(whole, 4)
    killed = SweepStudy.open(sweep, paths)
    killed.enqueue(FIRST[:1])
    again = SweepStudy.open(sweep, paths)
    again.enqueue(FIRST)
    found = _run(again, 1)
    again.ask()
    again.leave()
    last = SweepStudy.open(sweep, paths)
    last.enqueue(FIRST)
    leftover = last.claim()
    assert leftover.number == 1
    found.append(last.configure(leftover))
    last.tell(leftover, TrialState.COMPLETE, _value(found[-1]), {"best_value": 0.5})
    assert found + _run(last, 2) == undisturbed
    assert last._study.get_trials(states=(TrialState.WAITING,)) == []


def test_the_same_parameters_twice_are_two_trials(study, sweep, paths):
    study.enqueue(FIRST[:1] * 2)
    again = SweepStudy.open(sweep, paths)
    again.enqueue(FIRST[:1] * 2)
    first, second, _ = _run(again, 3)
    assert first.unfreeze == second.unfreeze == 3
    assert first.learning_rate != second.learning_rate
    assert again._study.get_trials(states=(TrialState.WAITING,)) == []


def test_what_waits_counts_as_nothing_yet(study, sweep):
    study.enqueue(FIRST)
    _run(study, 1)
    assert len(study.trials()) == len(study.finished()) == 1
    assert len(leaderboard(study.trials(), sweep.objective)) == 1
    assert study.running() == []


def test_the_runs_of_all_trials(study):
    for number in (None, 0, 12):
        study.note_run(number, f"run {number}")
    assert study.runs() == {0: "run 0", 12: "run 12"}
