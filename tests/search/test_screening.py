"""Screening through a real worker: networks of different worth on drawn flowers."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_backbones import save_blind, save_learned
from tiny_jobs import local_executor
from tiny_sweeps import save_backbone

from tlsearch.config.schema import BackboneChoice, Sweep
from tlsearch.data.dataset import prepare
from tlsearch.errors import DiskError, Interrupted, SetupError
from tlsearch.execution.events import Failed
from tlsearch.execution.failures import DISK_FULL
from tlsearch.execution.signals import StopRequest
from tlsearch.paths import Paths
from tlsearch.search.screening import Screening, _explain, candidate
from tlsearch.store.store import ActivationStore

DATA = {
    "source": "generated:flowers",
    "generated": {"photos_per_class": 20, "size": 64},
    "split": {"train": 0.6, "validation": 0.2, "test": 0.2},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    made = Paths(tmp_path_factory.mktemp("screening") / "home")
    made.create()
    return made


@pytest.fixture(scope="module")
def make_sweep(home):
    """A sweep over files with these names, beside the home."""

    def make(*names, **search):
        return Sweep.model_validate(
            {
                "version": 1,
                "name": "tiny",
                "data": DATA,
                "space": {
                    "backbone": [str(home.home.parent / name) for name in names],
                    "image_size": 32,
                },
                "search": {"screening": {"keep": 1}, **search},
            }
        )

    return make


@pytest.fixture(scope="module")
def dataset(home, make_sweep):
    """The drawn flowers; the networks are there too."""
    made = prepare(make_sweep("blind.keras").data, home, 32)
    save_blind(home.home.parent / "blind.keras")
    save_backbone(home.home.parent / "random.keras")
    save_learned(home.home.parent / "learned.keras", made, home)
    return made


@pytest.fixture(scope="module")
def executor(home):
    made = local_executor(home.home / "logs")
    yield made
    made.close()


@pytest.fixture
def screen(home, dataset, executor):
    """Screens a sweep; what was found, and the notices."""

    def run(sweep, stop=None):
        notices = []
        screening = Screening(sweep, home, dataset, notices.append, "tlsearch run sweep.yaml")
        return screening.run(executor, stop or StopRequest()), notices

    return run


def test_the_network_that_has_learned_is_first_and_tells_itself_apart(screen, make_sweep, home):
    result, notices = screen(make_sweep("blind.keras", "random.keras", "learned.keras"))
    first, *_, last = result.rows
    assert (first.backbone, last.backbone) == ("learned.keras", "blind.keras")
    assert result.kept == ["learned.keras"]
    assert first.told_apart
    assert first.accuracy > 0.6
    assert last.accuracy < 0.4
    assert [notice.event for notice in notices] == ["screening", *["probed"] * 3]
    assert {row.photos for row in result.rows} == {notices[0].data["photos"]}
    assert all(row.below.keys() == {"relu_2"} and row.seconds > 0 for row in result.rows)
    stored = ActivationStore(home.activations, 10**9).entries()
    assert {(one.key.backbone, one.key.cut) for one in stored} == {
        (row.backbone, cut) for row in result.rows for cut in ("pooled:avg", "mean:relu_2")
    }


def test_what_the_user_enqueues_stays(screen, make_sweep):
    names = ("blind.keras", "random.keras", "learned.keras")
    result, _ = screen(make_sweep(*names, enqueue=[{"backbone": "blind.keras"}]))
    assert result.kept == ["learned.keras", "blind.keras"]


def test_a_candidate_that_cannot_be_loaded_is_an_error(screen, make_sweep, home):
    (home.home.parent / "torn.keras").write_bytes(b"no network")
    with pytest.raises(SetupError, match=r"torn\.keras at 32 px could not be screened") as caught:
        screen(make_sweep("random.keras", "torn.keras"))
    assert "search.screening=null" in caught.value.hint


def test_a_full_disk_is_not_the_backbone_s_fault():
    mobile = candidate(BackboneChoice(name="MobileNet"), [224])
    full = Failed(0, DISK_FULL, "OSError: No space left on device", log="worker.log")
    error = _explain(full, mobile)
    assert isinstance(error, DiskError)
    assert "MobileNet" in error.received
    assert "space.backbone" not in error.hint


def test_a_stop_ends_it_with_what_to_type(screen, make_sweep):
    stop = StopRequest()
    stop.handle(2, None)
    with pytest.raises(Interrupted) as caught:
        screen(make_sweep("random.keras", "learned.keras"), stop)
    assert caught.value.exit_code == 130
    assert "tlsearch run sweep.yaml" in caught.value.hint


def test_too_few_photos_of_each_class_are_not_screened(home, dataset, make_sweep, executor):
    few = np.concatenate([np.flatnonzero(dataset.labels == label)[:3] for label in range(5)])
    small = type(dataset)(**{**vars(dataset), "splits": {**dataset.splits, "train": few}})
    sweep = make_sweep("random.keras", "learned.keras")
    notices = []
    screening = Screening(sweep, home, small, notices.append, "")
    assert screening.run(executor, StopRequest()) is None
    assert notices == []
