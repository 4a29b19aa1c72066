"""What is stored of a frozen backbone is what it computes, and is computed once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import ALWAYS, NEVER, SIZE

from tlsearch.augmentation.draws import view_seeds
from tlsearch.augmentation.renderer import renderer
from tlsearch.store.store import ActivationStore
from tlsearch.training.activations import Activations, Saving
from tlsearch.training.demand import Expected
from tlsearch.training.economy import READ
from tlsearch.training.frozen import FrozenBackbone
from tlsearch.training.head import POOLED
from tlsearch.training.photos import Photos
from tlsearch.training.stopwatch import Stopwatch
from tlsearch.training.views import View, views

HALF = {"rtol": 2**-10, "atol": 1e-5}
"""How near half precision comes to single."""
SHALLOW, MIDDLE, DEEP = "relu_1", "relu_2", "relu_3"
PLAIN = [View()]


@pytest.fixture
def runs(monkeypatch):
    """Which stretches of the network were run, and over how many photos: (from, to, photos)."""
    made = []
    original = FrozenBackbone.runner

    def runner(self, start, end, photos):
        run = original(self, start, end, photos)

        def counted(batch):
            made.append((start, end, len(batch)))
            return run(batch)

        return counted

    monkeypatch.setattr(FrozenBackbone, "runner", runner)
    return made


@pytest.fixture
def task(make_task, configure):
    return make_task(configure())


def _stretches(runs):
    return {(start, end) for start, end, _ in runs}


def _computed(activations, cut, pixels):
    return activations.frozen.between(None, cut).predict_on_batch(pixels)


def _pixels(photos):
    return photos.take(np.arange(len(photos)))


@pytest.mark.parametrize("cut", [SHALLOW, MIDDLE, DEEP, POOLED])
def test_rows_are_what_the_prefix_makes_of_the_photos(open_activations, task, cut):
    with open_activations(task) as activations:
        (rows,) = activations.rows("validation", cut, PLAIN)
        wanted = _computed(activations, cut, _pixels(task.photos["validation"]))
        assert rows.dtype == (np.float32 if cut == POOLED else np.float16)
        np.testing.assert_allclose(rows.read(), wanted, **HALF)
        np.testing.assert_array_equal(activations.look("validation", cut), rows.read())


def test_a_deeper_cut_comes_from_a_shallower_one(open_activations, task, runs):
    with open_activations(task) as activations:
        for cut in (SHALLOW, DEEP, POOLED):
            (rows,) = activations.rows("train", cut, PLAIN)
        assert runs == [(None, SHALLOW, 36), (SHALLOW, DEEP, 36), (DEEP, POOLED, 36)]
        wanted = _computed(activations, POOLED, _pixels(task.photos["train"]))
        np.testing.assert_allclose(rows.read(), wanted, rtol=1e-2, atol=1e-3)


def test_the_cut_below_all_that_is_unfrozen_comes_first(open_activations, task, runs):
    with open_activations(task, Saving(use="always", deepest=2)) as activations:
        for cut in (POOLED, MIDDLE, SHALLOW):
            activations.rows("train", cut, PLAIN)
        assert _stretches(runs) == {(None, SHALLOW), (SHALLOW, POOLED), (SHALLOW, MIDDLE)}


def test_unfreezing_everything_leaves_no_cut_to_come_first(open_activations, task, runs):
    with open_activations(task, Saving(use="always", deepest=3)) as activations:
        activations.rows("train", POOLED, PLAIN)
    assert _stretches(runs) == {(None, POOLED)}


def test_a_second_time_computes_nothing(open_activations, make_task, configure, runs):
    task = make_task(configure(augment="light"))
    assert len(task.shown) == 2
    for saving in (Saving(use="always", deepest=2), Saving(use="auto", deepest=2)):
        with open_activations(task, saving) as activations:
            for cut in (POOLED, MIDDLE):
                assert activations.keeps(cut, task.shown)
                activations.rows("train", cut, task.shown)
                activations.rows("validation", cut, PLAIN)
        if saving.use == "always":
            assert runs
            runs.clear()
    assert runs == []


def test_photos_are_known_by_what_is_in_them(open_activations, task, runs):
    """Another split of the same photos, in another order: only what is new is computed."""
    with open_activations(task) as activations:
        (rows,) = activations.rows("train", MIDDLE, PLAIN)
        before = rows.read()
    old = task.photos["train"]
    order = np.random.default_rng(0).permutation(48)
    contents = old.contents + task.photos["validation"].contents
    both = Photos(old.pixels, order, tuple(contents[place] for place in order))
    runs.clear()
    with open_activations(replace(task, photos={"train": both})) as activations:
        (rows,) = activations.rows("train", MIDDLE, PLAIN)
        assert runs == [(None, MIDDLE, 12)]
        np.testing.assert_array_equal(rows.read()[order < 36], before[order[order < 36]])
        np.testing.assert_allclose(
            rows.read(), _computed(activations, MIDDLE, _pixels(both)), **HALF
        )


def test_views_are_the_photos_and_renditions_of_them(open_activations, task):
    light = renderer("light")
    seen = views(light, 3)
    assert [view.name for view in seen] == ["original", f"{light.name}#1", f"{light.name}#2"]
    photos = task.photos["train"]
    with open_activations(task) as activations:
        rows = activations.rows("train", POOLED, seen)
        np.testing.assert_array_equal(seen[0].see(photos, np.array([3])), photos.take([3]))
        for view, kept in zip(seen[1:], rows[1:], strict=True):
            made = light.render(_pixels(photos), view_seeds(photos.contents, view.number))
            np.testing.assert_allclose(kept.read(), _computed(activations, POOLED, made), atol=1e-5)
    one, two, three = (kept.read() for kept in rows)
    assert all(np.abs(a - b).max() > 1e-3 for a, b in ((one, two), (two, three), (one, three)))


def test_a_rendition_is_the_photo_s_wherever_it_stands(task):
    view, photos = views(renderer("strong"), 2)[1], task.photos["train"]
    together = view.see(photos, np.array([5, 1, 9]))
    np.testing.assert_array_equal(together[1:2], view.see(photos, np.array([1])))
    np.testing.assert_array_equal(together, view.see(photos, np.array([5, 1, 9])))


def test_without_augmentation_there_is_one_view():
    assert views(None, 4) == [View()]


def test_a_look_stores_nothing_where_nothing_is_to_be_stored(open_activations, task, tmp_path):
    with open_activations(task, NEVER) as activations:
        found = activations.look("train", POOLED)
        wanted = _computed(activations, POOLED, _pixels(task.photos["train"]))
        assert not activations.keeps(POOLED, PLAIN)
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert not (tmp_path / "activations").exists()


def test_a_look_stores_nothing_that_does_not_fit(open_activations, task, tmp_path):
    with open_activations(task, limit=1_000) as activations:
        found = activations.look("train", POOLED)
        wanted = _computed(activations, POOLED, _pixels(task.photos["train"]))
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert ActivationStore(tmp_path / "activations", 1_000).entries() == []


def test_never_reads_nothing_that_another_sweep_has_stored(open_activations, task):
    with open_activations(task) as activations:
        activations.rows("train", POOLED, PLAIN)
    with open_activations(task, NEVER) as activations:
        assert not activations.keeps(POOLED, PLAIN)


def test_what_does_not_fit_is_not_kept(open_activations, task):
    bytes_ = (36 + 12) * 8 * 8 * 16 * 2
    with open_activations(task, ALWAYS, bytes_ - 1) as activations:
        assert not activations.keeps(MIDDLE, PLAIN)
        assert activations.keeps(POOLED, PLAIN)
    with open_activations(task, ALWAYS, 2 * bytes_) as activations:
        assert activations.keeps(MIDDLE, PLAIN)


@pytest.fixture
def slow(monkeypatch):
    """Every stretch of a network takes 10 ms a photo."""
    monkeypatch.setattr(Stopwatch, "_time", lambda self, start, end: 0.01)
    monkeypatch.setattr("tlsearch.training.stopwatch._KNOWN", {})


MIDDLE_ROW, SHALLOW_ROW, POOLED_ROW = 8 * 8 * 16 * 2, 16 * 16 * 8 * 2, 32 * 4


def test_the_prospect_of_a_cut(open_activations, task, slow):
    asked = []

    def expect(reading):
        asked.append(reading)
        return Expected(trials=3, epochs=21)

    with open_activations(task, Saving(expect=expect)) as activations:
        told = activations.prospect(MIDDLE, views(renderer("light"), 3))
        assert told.rows == 3 * 36 + 12
        assert told.looks == (36 + 12) * 21
        assert (told.row_bytes, told.row_seconds, told.look_seconds) == (MIDDLE_ROW, 0.01, 0.01)
        assert activations.prospect(POOLED, PLAIN).row_bytes == POOLED_ROW
    light, pooled = asked
    assert (light.unfreeze, light.pooling, light.rendition) == (1, "", renderer("light").name)
    assert (pooled.unfreeze, pooled.pooling, pooled.rendition) == (None, "avg", "")
    assert light.backbone == task.configuration.backbone.label


def test_what_is_stored_already_is_not_paid_again(open_activations, task, slow):
    with open_activations(task, Saving(use="always")) as activations:
        activations.rows("train", MIDDLE, PLAIN)
    with open_activations(task, Saving()) as activations:
        assert activations.lacking(MIDDLE, PLAIN) == 12
        assert activations.prospect(MIDDLE, views(renderer("light"), 4)).rows == 3 * 36 + 12
        activations.rows("validation", MIDDLE, PLAIN)
        assert activations.judge(MIDDLE, PLAIN).why == "it is stored"


def test_a_deeper_cut_costs_what_lies_between(open_activations, task, slow):
    """Stored, it is computed from the cut that comes first; not stored, from the photo."""
    reading = SHALLOW_ROW / READ
    with open_activations(task, Saving(use="always", deepest=2)) as activations:
        told = activations.prospect(POOLED, PLAIN)
        assert told.row_seconds == pytest.approx(0.01 + reading)
        assert told.look_seconds == pytest.approx(0.02)
        assert activations.prospect(SHALLOW, PLAIN).row_seconds == 0.01


def test_a_deeper_cut_costs_all_where_nothing_comes_first(open_activations, task, slow):
    never_pays = Saving(deepest=2, expect=lambda reading: Expected(1, 1))
    with open_activations(task, never_pays) as activations:
        assert not activations.judge(SHALLOW, PLAIN).stores
        assert activations.prospect(POOLED, PLAIN).row_seconds == 0.01


def test_room_is_for_a_cut_and_what_comes_first(open_activations, task, slow):
    both = (36 + 12) * (SHALLOW_ROW + POOLED_ROW)
    saving = Saving(use="always", deepest=2)
    with open_activations(task, saving, both - 1) as activations:
        assert activations.keeps(SHALLOW, PLAIN)
        assert not activations.keeps(POOLED, PLAIN)
        assert "there is room for" in activations.judge(POOLED, PLAIN).why
    with open_activations(task, saving, both) as activations:
        assert activations.keeps(POOLED, PLAIN)


def test_what_is_not_needed_wants_no_room(open_activations, task, slow):
    """A deeper cut is stored: the one that usually comes first is not made for the next."""
    stored = (36 + 12) * MIDDLE_ROW
    with open_activations(task) as activations:
        activations.rows("train", MIDDLE, PLAIN)
        activations.rows("validation", MIDDLE, PLAIN)
    with open_activations(task, Saving(use="always", deepest=2), 2 * stored) as activations:
        assert activations.keeps(POOLED, PLAIN)
        assert activations.prospect(POOLED, PLAIN).row_seconds == 0.01 + MIDDLE_ROW / READ


def test_a_verdict_makes_no_room(open_activations, task, slow, tmp_path):
    with open_activations(task) as activations:
        activations.rows("train", MIDDLE, PLAIN)
    tight = 50 * SHALLOW_ROW
    with open_activations(task, ALWAYS, tight) as activations:
        assert activations.judge(SHALLOW, PLAIN).stores
        assert len(ActivationStore(tmp_path / "activations", tight).entries()) == 1
        assert activations.keeps(SHALLOW, PLAIN)
        assert ActivationStore(tmp_path / "activations", tight).entries() == []


def test_seconds_are_of_a_real_batch_and_taken_once(open_activations, task, monkeypatch):
    monkeypatch.setattr("tlsearch.training.stopwatch._KNOWN", {})
    timed, time = [], Stopwatch._time
    monkeypatch.setattr(
        Stopwatch, "_time", lambda self, *ends: timed.append(ends) or time(self, *ends)
    )
    for _ in range(2):
        with open_activations(task, Saving(use="always", deepest=2)) as activations:
            assert activations.prospect(DEEP, PLAIN).look_seconds > 0
            assert activations.prospect(SHALLOW, PLAIN).row_seconds > 0
    assert timed == [(None, SHALLOW), (SHALLOW, DEEP)]


def test_what_comes_first_is_judged_by_all_views(open_activations, task, runs, slow):
    """A look at the photos as they are, for the probe, decides nothing about their renditions."""
    seen = views(renderer("light"), 4)
    brief = Saving(deepest=2, expect=lambda reading: Expected(1, 2))
    with open_activations(task, brief) as activations:
        activations.look("train", POOLED)
        activations.rows("train", POOLED, seen)
    of_renditions = [run for run in runs if run[2] == 36][2:]
    assert of_renditions == [(None, POOLED, 36)] * 3


def test_nothing_in_use_is_evicted(open_activations, task, tmp_path):
    store = ActivationStore(tmp_path / "activations", 10**9)
    with open_activations(task) as activations:
        (rows,) = activations.rows("train", POOLED, PLAIN)
        assert store.prune(0) == []
        assert rows.read().shape == (36, 32)
    assert [one.photos for one in store.prune(0)] == [36]
    assert store.entries() == []


def test_what_is_half_there_is_not_evicted_for_the_other_half(open_activations, task):
    """There is room for one view and a half; the half that is stored is of what is wanted."""
    photos = {**task.photos, "train": task.photos["validation"]}
    row = 8 * 8 * 16 * 2
    with open_activations(replace(task, photos=photos)) as activations:
        activations.rows("train", MIDDLE, PLAIN)
    with open_activations(task, ALWAYS, 50 * row) as activations:
        activations.keeps(MIDDLE, PLAIN)
        assert not activations.entry(MIDDLE, View()).missing(photos["train"].contents)


def test_a_warm_store_says_how_large_the_network_is(open_activations, task, tmp_path):
    with open_activations(task) as activations:
        assert (activations.width(), activations.parameters()) == (32, 6256)
        activations.rows("train", POOLED, PLAIN)
    chosen = task.configuration
    cold = FrozenBackbone(chosen.backbone, SIZE, chosen.pooling, "float32")
    store = ActivationStore(tmp_path / "activations", 10**9)
    with Activations(store, cold, task.photos, Saving(use="always", deepest=1)) as activations:
        assert (activations.width(), activations.parameters()) == (32, 6256)
        assert activations.rows("train", POOLED, PLAIN)[0].shape == (36, 32)
    assert vars(cold).keys() == {"spec", "image_size", "pooling", "policy"}


def test_other_settings_are_other_activations(configure):
    plain = configure()
    made = [
        FrozenBackbone(plain.backbone, size, pooling, policy).key(cut, view).digest
        for size, pooling, policy, cut, view in [
            (32, "avg", "float32", POOLED, "original"),
            (64, "avg", "float32", POOLED, "original"),
            (32, "max", "float32", POOLED, "original"),
            (32, "avg", "mixed_bfloat16", POOLED, "original"),
            (32, "avg", "float32", DEEP, "original"),
            (32, "avg", "float32", POOLED, "light@1.0#1#1"),
        ]
    ]
    assert len(set(made)) == len(made)
    maximum, average = (
        FrozenBackbone(plain.backbone, 32, pooling, "float32").key(DEEP, "original")
        for pooling in ("max", "avg")
    )
    assert maximum == average
