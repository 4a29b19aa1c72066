from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from serving.histogram import Histogram
from serving.metrics import metrics_registry
from serving.observations import OUTCOMES, Observations, Run, sample_values

LABELS = ["red", "green", "blue"]


@pytest.fixture
def seen() -> Observations:
    return Observations("colours", "7", LABELS)


def run_of(*best: int, value: int = 0, size: int = 9) -> Run:
    images = np.full((len(best), size, size, 3), value, np.uint8)
    probabilities = np.full((len(best), 3), 0.2, np.float32)
    probabilities[range(len(best)), best] = 0.6
    return Run(sample_values(images), probabilities, [0.002] * len(best), 0.03)


def count_at_most(histogram: Histogram, edge: str) -> float:
    return dict(histogram.buckets())[edge]


def test_a_bucket_holds_what_is_at_most_its_edge():
    histogram = Histogram([1, 2.5])
    histogram.add([1, 1.1, 2.5, 2.6, 100])
    histogram.add([0])
    assert histogram.buckets() == [("1.0", 2), ("2.5", 4), ("+Inf", 6)]
    assert histogram.total == pytest.approx(107.2)


def test_runs_are_counted_by_class_stage_and_size(seen):
    seen.record([run_of(0, 0, 2), run_of(2)])
    counts = seen.counts()
    assert counts.predictions.tolist() == [2, 0, 2]
    assert count_at_most(counts.batch, "1.0") == 1
    assert count_at_most(counts.batch, "4.0") == 2
    assert count_at_most(counts.queue, "0.0025") == 4
    assert count_at_most(counts.run, "0.025") == 0
    assert counts.run.total == pytest.approx(0.06)
    assert count_at_most(counts.confidence, "0.5") == 0
    assert count_at_most(counts.confidence, "0.7") == 4


@pytest.mark.parametrize("size", [1, 8, 9, 96, 224])
def test_brightness_is_that_of_the_whole_photo(seen, size):
    images = np.random.default_rng(0).integers(0, 256, (50, size, size, 3), dtype=np.uint8)
    images[:, : size // 2] //= 4
    plain = run_of(*[0] * 50, size=size)
    seen.record([plain._replace(sample=sample_values(images))])
    true = float((images.mean((1, 2, 3)) / 255).sum())
    assert seen.counts().brightness.total == pytest.approx(true, rel=0.05)


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_brightness_looks_at_every_colour(seen, channel):
    images = np.zeros((1, 96, 96, 3), np.uint8)
    images[..., channel] = 255
    seen.record([run_of(0)._replace(sample=sample_values(images))])
    assert seen.counts().brightness.total == pytest.approx(1 / 3, abs=0.03)


def test_many_runs_are_counted_without_being_asked(seen):
    for _ in range(1000):
        seen.record([run_of(1)])
        seen.decoded(0.004)
    assert len(seen._runs) < 1000
    counts = seen.counts()
    assert counts.predictions.tolist() == [0, 1000, 0]
    assert count_at_most(counts.decode, "0.005") == 1000


def test_outcomes_stay_few(seen):
    for outcome in (*OUTCOMES, "a", "b", "ok"):
        seen.count(outcome)
    requests = seen.counts().requests
    assert set(requests) == set(OUTCOMES)
    assert (requests["ok"], requests["other"]) == (2, 3)


def model_of(seen: Observations, version: str = "7"):
    return SimpleNamespace(
        name="colours",
        version=version,
        labels=LABELS,
        observations=seen,
        provider="CPUExecutionProvider",
        precision="fp32",
        batcher=SimpleNamespace(waiting=3),
    )


def samples(models) -> dict:
    text = generate_latest(metrics_registry(lambda: models)).decode()
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_prometheus_reads_all_of_it(seen):
    seen.record([run_of(2, 2, value=255)])
    seen.count("expired")
    found = samples([model_of(seen)])
    row = (("model", "colours"), ("version", "7"))
    assert found["tlsearch_predictions_total", ("label", "blue"), *row] == 2
    assert (
        found["tlsearch_requests_total", ("model", "colours"), ("outcome", "expired"), row[1]] == 1
    )
    assert found["tlsearch_batch_photos_bucket", ("le", "2.0"), *row] == 1
    assert found["tlsearch_batch_photos_bucket", ("le", "1.0"), *row] == 0
    assert found["tlsearch_brightness_sum", *row] == 2
    assert found["tlsearch_waiting_photos", *row] == 3
    stages = {dict(key[1:]).get("stage") for key in found if key[0] == "tlsearch_stage_seconds_sum"}
    assert stages == {"queue", "decode", "run"}


def test_a_version_that_is_there_twice_is_shown_once_as_it_is_now(seen):
    seen.count("ok")
    old, other = Observations("colours", "7", LABELS), Observations("colours", "6", LABELS)
    text = generate_latest(
        metrics_registry(lambda: [model_of(seen), model_of(old), model_of(other, "6")])
    ).decode()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    keys = [line.rsplit(" ", 1)[0] for line in lines]
    assert len(keys) == len(set(keys))
    assert 'tlsearch_requests_total{model="colours",outcome="ok",version="7"} 1.0' in lines
