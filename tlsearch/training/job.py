"""Training one trial in a worker: from its configuration to weights, predictions and history."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tlsearch.config.configuration import Configuration
from tlsearch.config.schema import Sweep
from tlsearch.data.dataset import Dataset, pixel_store
from tlsearch.data.pixels import PixelStore
from tlsearch.execution.devices import gpus
from tlsearch.execution.events import Decision, EpochEnded, Started
from tlsearch.execution.executor import Channel
from tlsearch.paths import Paths
from tlsearch.training.activations import ActivationCache, Photos
from tlsearch.training.inputs import Inputs, TrialData
from tlsearch.training.trained import TrainedTrial

if TYPE_CHECKING:
    from tlsearch.training.fit import Progress
    from tlsearch.training.network import Network
    from tlsearch.training.phases import Phase

State = Literal["complete", "pruned", "interrupted"]
_STATES: dict[Decision, State] = {
    Decision.CONTINUE: "complete",
    Decision.PRUNE: "pruned",
    Decision.STOP: "interrupted",
}
_CACHE = ActivationCache()


@dataclass(frozen=True)
class TrialResult:
    """How a trial ended. `metrics` are those of its best epoch, `value` its objective."""

    state: State
    value: float
    best_epoch: int
    epochs: int
    metrics: dict[str, float]
    seconds: float
    photos_per_second: float


@dataclass(frozen=True)
class TrainJob:
    """Everything that a worker needs to train one trial.

    The photos must be in the pixel store at the configuration's size.
    """

    trial: int
    sweep: Sweep
    configuration: Configuration
    dataset: Dataset
    paths: Paths

    @property
    def seed(self) -> int:
        """Different for each trial, the same when the sweep is run again."""
        return self.sweep.search.seed * 100_003 + self.trial

    def run(self, channel: Channel) -> TrialResult:
        from tlsearch.training.fit import Progress, fit, trainable_parameters

        started = time.perf_counter()
        network, plan = self._build()
        model = network.model
        channel.send(Started(self.trial, model.count_params(), trainable_parameters(model)))
        progress = Progress(self.sweep.objective)
        train = self.sweep.train
        inputs = Inputs(self._data(), self.configuration, train.batch_size, _CACHE, self.seed)

        def report(epoch: int, metrics: Mapping[str, float], seconds: float) -> Decision:
            return channel.ask(EpochEnded(self.trial, epoch, metrics, seconds))

        predictions = fit(network, plan, inputs, train, progress, report)
        folder = self.paths.sweep(self.sweep.name).trial(self.trial)
        TrainedTrial(folder).write(network, predictions, progress.epochs)
        return self._result(progress, inputs.photos, time.perf_counter() - started)

    def _build(self) -> tuple[Network, list[Phase]]:
        """The network as its last phase trains it, and all phases, seeded."""
        import keras

        from tlsearch.training.fit import set_trainable
        from tlsearch.training.network import build_network
        from tlsearch.training.phases import phases

        train = self.sweep.train
        keras.backend.clear_session()
        keras.utils.set_random_seed(self.seed)
        keras.config.set_dtype_policy(precision(train.precision))
        network = build_network(self.configuration, len(self.dataset.classes), train)
        plan = phases(self.configuration, train, network)
        set_trainable(network, plan[-1])
        return network, plan

    def _result(self, progress: Progress, photos: int, seconds: float) -> TrialResult:
        return TrialResult(
            state=_STATES[progress.decision],
            value=progress.best_value,
            best_epoch=progress.best_epoch,
            epochs=len(progress.epochs),
            metrics=progress.epochs[progress.best_epoch - 1],
            seconds=seconds,
            photos_per_second=photos * len(progress.seconds) / sum(progress.seconds),
        )

    def _data(self) -> TrialData:
        data = self.dataset
        pixels = pixel_store(self.paths, self.configuration.image_size)
        return TrialData(
            photos={split: photos(data, split, pixels) for split in ("train", "validation")},
            labels={split: data.labels[rows] for split, rows in data.splits.items()},
            digest=data.digest,
            views=self.sweep.data.views,
        )


def photos(dataset: Dataset, split: str, pixels: PixelStore) -> Photos:
    """The photos of a split, in the order of the split."""
    contents = [dataset.contents[i] for i in dataset.splits[split]]
    return Photos(pixels.pixels, pixels.rows(contents))


def precision(wanted: str) -> str:
    """The Keras dtype policy of `train.precision`."""
    if wanted != "auto":
        return wanted
    devices = gpus()
    return "mixed_bfloat16" if devices and devices[0].has_bfloat16 else "float32"
