"""One version of a model at work: verified, measured, with its queue."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from serving.batching import LIMIT, Batcher, BatchPlan
from serving.bundle import Bundle
from serving.curve import BatchCurve, measure_curve
from serving.engine import Engine
from serving.observations import Observations
from serving.runner import GROUP_SECONDS
from serving.session import CPU
from tlsearch.cores import usable_cores
from tlsearch.errors import SetupError, TlsearchError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelOptions:
    """How to run a model.

    Attributes:
        providers: of onnxruntime; the first has to work.
        precision: of the bundle's variants; `fastest`: the one that does most photos a second.
        workers: threads that call the model; 0: the network's own thread does. Default: one for
            each core that we may use; none if that is a single one and a run is short.
        queue: the most photos that may be accepted and not yet answered.
        largest_batch: the most photos of one run.
    """

    providers: tuple[str, ...] = (CPU,)
    precision: str = "fp32"
    workers: int | None = None
    queue: int = LIMIT
    largest_batch: int = 32


DEFAULT_OPTIONS = ModelOptions()
FASTEST = "fastest"

_DEVICE_WORKERS = 2
"""One prepares a batch while the device computes the other's."""


@dataclass(frozen=True, eq=False)
class ServedModel:
    """One version of a model at work.

    Attributes:
        curve: how long its batches take here.
        precision: of the variant in use.
    """

    name: str
    version: str
    bundle: Bundle
    engine: Engine
    curve: BatchCurve
    batcher: Batcher
    observations: Observations
    precision: str

    @classmethod
    def load(
        cls, name: str, version: str, folder: str | Path, options: ModelOptions = DEFAULT_OPTIONS
    ) -> ServedModel:
        """Open and verify a bundle, and measure how fast its model is. Takes seconds.

        Raises:
            BundleError: damaged, or other answers than the bundle's on this hardware.
            SetupError: the provider is not there, or its device fails.
        """
        bundle = Bundle.open(folder)
        chosen = _choose(bundle, options)
        plan = BatchPlan.of(chosen.curve, _workers(chosen, options), options.queue)
        observations = Observations(name, version, bundle.labels)
        batcher = Batcher(chosen.engine.run, plan, observations)
        precision, engine, curve = chosen
        return cls(name, version, bundle, engine, curve, batcher, observations, precision)

    @property
    def labels(self) -> list[str]:
        """The class of each column of the probabilities."""
        return self.bundle.labels

    @property
    def image_size(self) -> int:
        """Pixels a side."""
        return self.bundle.image_size

    @property
    def provider(self) -> str:
        """What the model runs on."""
        return self.engine.provider

    @property
    def about(self) -> dict[str, str]:
        """Which model it is, as answers say it."""
        return {"model": self.name, "version": self.version}

    @cached_property
    def about_text(self) -> str:
        """`about` as JSON, without its braces."""
        return json.dumps(self.about, separators=(",", ":"))[1:-1]

    @cached_property
    def label_texts(self) -> list[str]:
        """The labels as JSON."""
        return [json.dumps(label) for label in self.labels]

    async def drain(self, successor: ServedModel | None = None) -> None:
        """Answer what was accepted, then let go of the threads.

        Args:
            successor: the same version; it answers whoever has found this one and asks it later.
        """
        await self.batcher.drain(None if successor is None else successor.batcher)


class _Verified(NamedTuple):
    """A variant whose golden samples hold here."""

    precision: str
    engine: Engine
    curve: BatchCurve

    @property
    def rate(self) -> float:
        return self.curve.rate(self.curve.best())


def _choose(bundle: Bundle, options: ModelOptions) -> _Verified:
    if options.precision != FASTEST:
        return _verify(bundle, options.precision, options)
    found: list[_Verified] = []
    refused: list[SetupError] = []
    for variant in bundle.manifest.variants:
        try:
            found.append(_verify(bundle, variant.precision, options))
        except SetupError as error:
            log.warning("the %s model is left out: %s", variant.precision, error)
            refused.append(error)
    if not found:
        raise refused[0]
    return max(found, key=lambda one: one.rate)


def _verify(bundle: Bundle, precision: str, options: ModelOptions) -> _Verified:
    try:
        return _try(bundle, precision, options)
    except TlsearchError:
        raise
    except Exception as error:  # onnxruntime's errors have no common class
        provider = options.providers[0]
        raise SetupError(
            f"the {precision} model does not run on {provider} here",
            received=f"{type(error).__name__}: {error}"[:500],
            expected="a device with memory for it, which nothing else keeps busy",
            hint=f"look at what else runs there (`nvidia-smi`), or serve on the CPU: {CPU}",
        ) from error


def _try(bundle: Bundle, precision: str, options: ModelOptions) -> _Verified:
    largest = min(options.largest_batch, options.queue)
    engine = Engine(bundle, options.providers, precision=precision, largest=largest)
    engine.replay_golden()
    photos = np.zeros((largest, bundle.image_size, bundle.image_size, 3), np.uint8)
    # On a device this is the warm-up too: batches are never larger than the measured ones.
    curve = measure_curve(lambda count: engine.run(photos[:count]), largest)
    return _Verified(precision, engine, curve)


def _workers(chosen: _Verified, options: ModelOptions) -> int:
    if options.workers is not None:
        return options.workers
    if chosen.engine.provider != CPU:
        return _DEVICE_WORKERS
    cores = usable_cores()
    is_short = chosen.curve.seconds[chosen.curve.best()] <= GROUP_SECONDS
    return 0 if cores == 1 and is_short else cores
