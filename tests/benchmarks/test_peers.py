"""The peers' scripts train what they are given: real weights, a handful of real photos."""

from __future__ import annotations

import pytest
from peers.bench import Bench, Peer
from peers.photos import split_folders
from peers.task import Setting
from peers.trials import feature_extraction, mixed, sample, whole

pytestmark = pytest.mark.slow
TRIALS = mixed(3)


@pytest.fixture(scope="module")
def bench(shared, flower_photos, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    photos = split_folders(flower_photos, 120, folder / "photos")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_HOME", str(shared / "keras"))
        setting = Setting(str(photos), image_size=96, epochs=3, head_epochs=1, batch_size=32)
        yield Bench(setting, folder, 1, None, print)


@pytest.fixture(scope="module")
def plain(bench):
    return Peer("plain", "plain").run(bench, TRIALS, whole(TRIALS), 0)


def test_a_plain_sweep_learns_something(plain):
    assert len(plain.values) == 3
    assert max(plain.values) > 0.4
    assert 0 < plain.first_word < plain.before < plain.seconds


def test_keras_tuner_trains_the_same_networks(bench, plain):
    tuner = Peer("tuner", "tuner").run(bench, TRIALS, whole(TRIALS), 0)
    assert tuner.values == pytest.approx(plain.values, abs=0.1)


def test_a_part_of_the_list_is_run(bench):
    part = sample(TRIALS, 1)
    one = Peer("plain", "plain").run(bench, TRIALS, part, 0)
    assert (len(one.values), one.part, one.is_estimate) == (1, part, True)


def test_features_of_a_trial_are_as_good_as_the_whole_network(bench):
    trials = feature_extraction(2)
    whole_network = Peer("plain", "plain").run(bench, trials, whole(trials), 0)
    features = Peer("precomputed", "precomputed").run(bench, trials, whole(trials), 0)
    assert features.values == pytest.approx(whole_network.values, abs=0.2)
