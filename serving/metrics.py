"""What Prometheus reads of the models at work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from serving.device_memory import device_memory
from serving.histogram import Histogram
from serving.model import ServedModel
from serving.models import Doubt
from serving.observations import Counts
from serving.session import CPU

MODEL = ("model", "version")


def metrics_registry(
    at_work: Callable[[], Iterable[ServedModel]], doubt: Doubt = lambda name: None
) -> CollectorRegistry:
    """A registry of its own with what the models at work have seen.

    A version's rows go when it does, so there are never more than the models at work give.

    Args:
        doubt: see `Models`.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_ModelCollector(at_work, doubt))
    return registry


class _ModelCollector(Collector):
    def __init__(self, at_work: Callable[[], Iterable[ServedModel]], doubt: Doubt) -> None:
        self._at_work = at_work
        self._doubt = doubt

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        # The same version may have been loaded twice; Prometheus refuses a row that comes twice.
        by_name = {(one.name, one.version): one for one in reversed(list(self._at_work()))}
        seen = [(one, one.observations.counts()) for one in by_name.values()]
        yield from _gauges([one for one, _ in seen])
        yield _stale({one.name: self._doubt(one.name) for one, _ in seen})
        if any(one.provider != CPU for one, _ in seen):
            yield from _memory()
        yield from _counters(seen)
        yield from _histograms(seen)


def _gauges(models: list[ServedModel]) -> Iterator[Metric]:
    about = GaugeMetricFamily(
        "tlsearch_model", "A version at work.", labels=(*MODEL, "provider", "precision")
    )
    waiting = GaugeMetricFamily(
        "tlsearch_waiting_photos", "Photos accepted and not yet answered.", labels=MODEL
    )
    for one in models:
        about.add_metric((one.name, one.version, one.provider, one.precision), 1)
        waiting.add_metric((one.name, one.version), one.batcher.waiting)
    return iter((about, waiting))


def _stale(doubts: dict[str, str | None]) -> Metric:
    words = "1 while the registry may mean another version, or means one that fails."
    stale = GaugeMetricFamily("tlsearch_model_stale", words, labels=("model",))
    for name, doubt in doubts.items():
        stale.add_metric((name,), doubt is not None)
    return stale


def _memory() -> Iterator[Metric]:
    memory = device_memory()
    if memory is not None:
        words = "Bytes of the GPU's memory that are taken, by whomever."
        yield GaugeMetricFamily("tlsearch_gpu_memory_used_bytes", words, memory.used)
        words = "Bytes of the GPU's memory."
        yield GaugeMetricFamily("tlsearch_gpu_memory_bytes", words, memory.total)


def _counters(seen: list[tuple[ServedModel, Counts]]) -> Iterator[Metric]:
    requests = CounterMetricFamily(
        "tlsearch_requests", "Answered requests by outcome.", labels=(*MODEL, "outcome")
    )
    predictions = CounterMetricFamily(
        "tlsearch_predictions", "Photos by their most probable class.", labels=(*MODEL, "label")
    )
    for one, counts in seen:
        for outcome, count in counts.requests.items():
            requests.add_metric((one.name, one.version, outcome), count)
        for label, count in zip(one.labels, counts.predictions.tolist(), strict=True):
            predictions.add_metric((one.name, one.version, label), count)
    return iter((requests, predictions))


def _histograms(seen: list[tuple[ServedModel, Counts]]) -> Iterator[Metric]:
    stages = _histogram("stage_seconds", "Seconds waited, decoded and run.", "stage")
    batch = _histogram("batch_photos", "Photos of a call of the model.")
    confidence = _histogram("confidence", "Probability of the most probable class.")
    brightness = _histogram("brightness", "Mean value of a photo: 0 is black, 1 is white.")
    for one, counts in seen:
        row = (one.name, one.version)
        _add(stages, (*row, "queue"), counts.queue)
        _add(stages, (*row, "decode"), counts.decode)
        _add(stages, (*row, "run"), counts.run)
        _add(batch, row, counts.batch)
        _add(confidence, row, counts.confidence)
        _add(brightness, row, counts.brightness)
    return iter((stages, batch, confidence, brightness))


def _histogram(name: str, words: str, *labels: str) -> HistogramMetricFamily:
    return HistogramMetricFamily(f"tlsearch_{name}", words, labels=(*MODEL, *labels))


def _add(family: HistogramMetricFamily, row: tuple[str, ...], values: Histogram) -> None:
    family.add_metric(row, values.buckets(), values.total)
