"""Sweeps of other kinds: two classes with a sigmoid, a published backbone, real photos."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from tiny_sweeps import tlsearch, write_sweep

from serving import Bundle, Engine

pytestmark = pytest.mark.slow

SIGMOID = """\
version: 1
name: sigmoid
data:
  source: photos
  split: {train: 0.6, validation: 0.2, test: 0.2, seed: 3}
budget: {trials: 1}
space:
  backbone: tiny.keras
  image_size: 32
  strategy: fine_tune
  unfreeze: 2
  head_learning_rate: 1e-2
  learning_rate: 1e-2
train: {epochs: 15, head_epochs: 1, batch_size: 8, output: sigmoid}
"""

FLOWERS = """\
version: 1
name: real
data: {source: photos}
budget: {trials: 2}
search: {sampler: random, pruner: none}
space:
  backbone: {name: MobileNet, alpha: 0.25}
  image_size: 128
  strategy: [feature_extraction, fine_tune]
  head_learning_rate: 1e-2
train: {epochs: 12, head_epochs: 6, batch_size: 16}
"""


def _colours(folder):
    """Forty photos each of something reddish and of something bluish."""
    random = np.random.default_rng(0)
    for channel, label in ((0, "red"), (2, "blue")):
        (folder / label).mkdir(parents=True)
        for number in range(40):
            pixels = random.integers(0, 120, (40, 40, 3), dtype="uint8")
            pixels[:, :, channel] += 100
            Image.fromarray(pixels).save(folder / label / f"{number}.png")


def test_two_classes_with_a_sigmoid(tmp_path):
    _colours(tmp_path / "photos")
    home = tmp_path / "home"
    done = tlsearch(home, "run", write_sweep(tmp_path, SIGMOID))
    assert done.returncode == 0, done.stderr
    bundle = Bundle.open(home / "sweeps" / "sigmoid" / "bundle")
    engine = Engine(bundle)
    engine.replay_golden()
    assert bundle.labels == ["blue", "red"]
    photos = [tmp_path / "photos" / label / "0.png" for label in bundle.labels]
    answers = list(engine.classify(photos))
    assert all(answer.probabilities.sum() == pytest.approx(1, abs=1e-5) for answer in answers)
    assert [answer.label for answer in answers] == bundle.labels
    assert bundle.manifest.metrics.test.accuracy >= 0.9


@pytest.fixture
def some_flowers(flower_photos, tmp_path):
    """A hundred photos of each kind."""
    for kind in sorted(path for path in flower_photos.iterdir() if path.is_dir()):
        (tmp_path / "photos" / kind.name).mkdir(parents=True)
        for photo in sorted(kind.glob("*.jpg"))[:100]:
            (tmp_path / "photos" / kind.name / photo.name).symlink_to(photo)
    return tmp_path


def test_real_flowers_on_imagenet_weights(some_flowers, shared):
    home = some_flowers / "home"
    file = write_sweep(some_flowers, FLOWERS)
    done = tlsearch(home, "run", file, "--json", KERAS_HOME=str(shared / "keras"))
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    (champion,) = [event for event in events if event["event"] == "champion"]
    assert champion["value"] > 0.6
    counts = {e["total_parameters"] for e in events if e["event"] == "network_built"}
    assert counts == {218_544 + 5 * 256 + 5}
    bundle = Bundle.open(home / "sweeps" / "real" / "bundle")
    assert Engine(bundle).replay_golden() < 1e-3
    assert bundle.manifest.metrics.test.accuracy > 0.5
