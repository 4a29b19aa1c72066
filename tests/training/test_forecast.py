"""What is told before a sweep is what its trials then do."""

from __future__ import annotations

import pytest

from tlsearch.config.schema import Sweep
from tlsearch.store.store import ActivationStore
from tlsearch.training.activations import Activations
from tlsearch.training.demand import OWN, Demand
from tlsearch.training.economy import WRITTEN
from tlsearch.training.forecast import add_up, add_up_largest, backbones, forecast
from tlsearch.training.frozen import frozen_backbone
from tlsearch.training.head import POOLED
from tlsearch.training.job import saving
from tlsearch.training.stopwatch import Stopwatch
from tlsearch.training.views import View, views

SIZE, PLENTY = 32, 10**9
SHALLOW_ROW, MIDDLE_ROW, POOLED_ROW = 16 * 16 * 8 * 2, 8 * 8 * 16 * 2, 32 * 4
TUNED = {
    "strategy": ["feature_extraction", "fine_tune"],
    "unfreeze": {"choices": [1, 2], "when": {"strategy": "fine_tune"}},
    "augment": ["none", "light", "strong"],
}


@pytest.fixture(autouse=True)
def _slow(monkeypatch):
    """A stretch of the network takes 1 ms a photo."""
    monkeypatch.setattr(Stopwatch, "_time", lambda self, start, end: 1e-3)
    monkeypatch.setattr("tlsearch.training.stopwatch._KNOWN", {})


@pytest.fixture
def plan(photos, tiny_backbone, tmp_path):
    """Makes a sweep of the small network, and what is forecast of it."""

    def make(space=None, limit=PLENTY, **rest):
        plain = {"backbone": tiny_backbone.model_dump(), "image_size": SIZE}
        parts = {
            "version": 1,
            "name": "a",
            "data": {"source": "generated:flowers", "views": 3},
            "budget": {"trials": 12},
            "train": {"epochs": 5, "head_epochs": 2},
            "space": {**plain, **(TUNED if space is None else space)},
        }
        sweep = Sweep.model_validate({**parts, **rest})
        store, demand = ActivationStore(tmp_path / "activations", limit), Demand(sweep)
        found = [
            outlook
            for frozen in backbones(sweep, "float32")
            for outlook in forecast(sweep, demand, frozen, photos, store)
        ]
        return sweep, demand, found

    return make


@pytest.fixture
def open_as_trial(photos, tmp_path):
    def open_(sweep, reading, limit=PLENTY):
        (backbone,) = sweep.space.backbone.choices
        frozen = frozen_backbone(backbone, SIZE, reading.pooling or "avg", "float32")
        store = ActivationStore(tmp_path / "activations", limit)
        return Activations(store, frozen, photos, saving(sweep))

    return open_


CASES = {
    "auto": {},
    "always": {"store": {"use": "always"}},
    "never": {"store": {"use": "never"}},
    "one epoch": {"train": {"epochs": 1}},
    "many views": {"data": {"source": "generated:flowers", "views": 12}},
    "tight": {"limit": 50 * SHALLOW_ROW},
    "tighter": {"limit": 50 * MIDDLE_ROW},
    "no room": {"limit": 10},
}


@pytest.mark.parametrize("case", CASES)
def test_trials_follow_it(plan, open_as_trial, case):
    sweep, demand, found = plan(**CASES[case])
    assert {one.reading for one in found} == set(demand.readings)
    limit = CASES[case].get("limit", PLENTY)
    for one in found:
        seen = views(demand.renderers[one.reading.rendition], demand.views)
        assert len(seen) == one.views
        with open_as_trial(sweep, one.reading, limit) as activations:
            assert activations.keeps(one.cut, seen) == one.verdict.stores


def test_the_cases_differ(plan):
    verdicts = {case: [one.verdict.stores for one in plan(**CASES[case])[2]] for case in CASES}
    assert all(verdicts["auto"])
    assert all(verdicts["always"])
    for none in ("never", "no room"):
        assert not any(verdicts[none])
    for some in ("many views", "tight", "tighter"):
        assert 0 < sum(verdicts[some]) < len(verdicts[some])


def test_nothing_is_stored_or_removed(plan, open_as_trial, tmp_path):
    plan()
    assert not (tmp_path / "activations").exists()
    sweep, _, found = plan()
    with open_as_trial(sweep, found[0].reading) as activations:
        activations.rows("train", found[0].cut, [View()])
    before = ActivationStore(tmp_path / "activations", PLENTY).entries()
    plan(limit=10)
    after = ActivationStore(tmp_path / "activations", PLENTY).entries()
    assert [(one.key, one.photos, one.bytes_) for one in after] == [
        (one.key, one.photos, one.bytes_) for one in before
    ]


def test_what_is_there_already_is_counted(plan, open_as_trial):
    sweep, _, found = plan()
    first = found[0]
    assert (first.cut, first.rows, first.stored) == ("relu_1", 48, 0)
    with open_as_trial(sweep, first.reading) as activations:
        activations.rows("train", first.cut, [View()])
        assert plan()[2][0].stored == 36
        activations.rows("validation", first.cut, [View()])
    told = plan()[2]
    assert (told[0].stored, told[0].verdict.why) == (48, "it is stored")
    assert {one.stored for one in told if one.cut == "relu_1" and one.views == 3} == {48}
    assert add_up(told).stored_bytes == 48 * SHALLOW_ROW
    assert add_up(told).bytes_ == add_up(found).bytes_


def test_rows_that_readings_share_are_added_once(plan):
    """The photos as they are belong to the views of both policies."""
    _, _, found = plan()
    row = SHALLOW_ROW + MIDDLE_ROW + POOLED_ROW
    total = add_up(found)
    assert total.bytes_ == row * (12 + 36 * (1 + 2 + 2))
    assert (total.stored_bytes, total.each_epoch) == (0, 0)
    rows = total.bytes_ / row
    assert total.seconds == pytest.approx(rows * 3e-3 + total.bytes_ / WRITTEN, rel=0.1)
    assert add_up_largest(found, 1) == total
    assert add_up_largest(found, 0).bytes_ == 0


def test_what_is_not_stored_is_added_up_for_all_epochs(plan):
    _, _, found = plan({}, limit=10)
    (pooled,) = found
    assert pooled.cut == POOLED
    assert add_up(found).each_epoch == pytest.approx(12 * 5 * 48 * 1e-3)
    assert add_up(found).bytes_ == 0


def test_renditions_of_its_own_are_stored_for_each_trial(plan):
    strength = {"type": "float", "low": 0.5, "high": 1.5}
    _, _, found = plan({"augment": "light", "augment_strength": strength})
    (own,) = found
    assert (own.reading.rendition, own.sets, own.expected.trials) == (OWN, 12, 12)
    assert add_up(found).bytes_ == 12 * own.bytes_


def test_poolings_have_one_line_each_and_share_the_rest(plan):
    _, _, found = plan({**TUNED, "augment": "none", "pooling": ["avg", "max"]})
    assert [(one.cut, one.reading.pooling) for one in found] == [
        ("relu_1", ""),
        ("relu_2", ""),
        (POOLED, "avg"),
        (POOLED, "max"),
    ]


def test_where_all_blocks_learn_nothing_is_frozen(plan):
    _, _, found = plan({"strategy": "fine_tune", "unfreeze": [1, 3]})
    by_depth = {one.reading.unfreeze: one for one in found}
    assert by_depth[3].cut is None
    assert not by_depth[3].verdict.stores
    assert by_depth[1].verdict.stores


def test_the_cut_that_comes_first_is_told_though_no_trial_reads_it(plan):
    """Only heads are trained on renditions."""
    augment = {"choices": ["light"], "when": {"strategy": "feature_extraction"}}
    _, _, found = plan({**TUNED, "augment": augment})
    first = next(one for one in found if one.cut == "relu_1" and one.reading.rendition)
    assert first.expected.trials == 0
    assert first.verdict.stores
