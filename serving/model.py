"""One version of a model at work: verified, measured, with its queue."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from serving.batching import Batcher, BatchPlan
from serving.bundle import Bundle
from serving.curve import BatchCurve, measure_curve
from serving.engine import Engine
from serving.observations import Observations


@dataclass(frozen=True)
class ModelOptions:
    """How to run a model.

    Attributes:
        providers: of onnxruntime; the first has to work.
        precision: of the bundle's variants; `fastest`: the one that does most photos a second.
        workers: threads that call the model; default: as many as there are cores for us.
        queue: the most photos that may wait.
        largest_batch: the most photos of one run.
    """

    providers: tuple[str, ...] = ("CPUExecutionProvider",)
    precision: str = "fp32"
    workers: int | None = None
    queue: int = 512
    largest_batch: int = 32


DEFAULT_OPTIONS = ModelOptions()


@dataclass(frozen=True, eq=False)
class ServedModel:
    """One version of a model at work."""

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
            SetupError: the provider is not there.
        """
        bundle = Bundle.open(folder)
        engine = Engine(bundle, options.providers, precision=options.precision)
        engine.replay_golden()
        size = bundle.image_size
        photos = np.zeros((options.largest_batch, size, size, 3), np.uint8)
        curve = measure_curve(
            lambda count: engine.predict(photos[:count], count), options.largest_batch
        )
        workers = options.workers or len(os.sched_getaffinity(0))
        observations = Observations(name, version, bundle.labels)
        plan = BatchPlan.of(curve, workers, options.queue)
        batcher = Batcher(engine.predict, plan, observations)
        return cls(name, version, bundle, engine, curve, batcher, observations, options.precision)

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

    async def drain(self) -> None:
        """Answer what was accepted, then let go of the threads."""
        await self.batcher.drain()
