"""The fit of a trial: its phases one after the other, epoch by epoch, the best one kept."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import keras
import numpy as np

from tlsearch.config.schema import Objective, Train
from tlsearch.errors import NonFiniteLossError
from tlsearch.execution.events import Decision
from tlsearch.training.inputs import Inputs
from tlsearch.training.network import Network, batch_norms
from tlsearch.training.phases import Phase

Report = Callable[[int, Mapping[str, float], float], Decision]
"""Told the epoch (from 1), its metrics and its seconds; says how to go on."""


@dataclass
class Progress:
    """What a fit has reached so far, over all its phases."""

    objective: Objective
    epochs: list[dict[str, float]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    best_epoch: int = 0
    best_value: float = math.nan
    best_weights: list[np.ndarray] = field(default_factory=list)
    decision: Decision = Decision.CONTINUE

    def improves(self, value: float) -> bool:
        if math.isnan(self.best_value):
            return True
        sign = 1 if self.objective.direction == "maximize" else -1
        return sign * value > sign * self.best_value


class EpochEnd(keras.callbacks.Callback):
    """Reports each epoch, keeps the best weights, and ends the phase when it should end."""

    def __init__(
        self, network: Network, progress: Progress, report: Report, patience: int | None
    ) -> None:
        super().__init__()
        self._network = network
        self._progress = progress
        self._report = report
        self._patience = patience
        self._stale = 0
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        seconds = time.perf_counter() - self._started
        metrics = {name: float(value) for name, value in (logs or {}).items()}
        self._progress.seconds.append(seconds)
        self._keep(metrics)
        decision = self._report(len(self._progress.epochs), metrics, seconds)
        self._progress.decision = decision
        exhausted = self._patience is not None and self._stale >= self._patience
        if decision is not Decision.CONTINUE or exhausted:
            self.model.stop_training = True

    def _keep(self, metrics: dict[str, float]) -> None:
        progress = self._progress
        progress.epochs.append({"epoch": len(progress.epochs) + 1, **metrics})
        value = metrics[progress.objective.metric]
        if not math.isfinite(metrics["loss"]) or not math.isfinite(value):
            raise NonFiniteLossError(
                f"the loss is {metrics['loss']} in epoch {len(progress.epochs)}",
                hint="lower the upper end of the learning rates in the sweep's space",
            )
        self._stale += 1
        if progress.improves(value):
            self._stale = 0
            progress.best_epoch = len(progress.epochs)
            progress.best_value = value
            progress.best_weights = self._network.model.get_weights()


def fit(
    network: Network,
    phases: list[Phase],
    inputs: Inputs,
    train: Train,
    progress: Progress,
    report: Report,
) -> np.ndarray:
    """Train through the phases; afterwards the network has the weights of its best epoch.

    Returns:
        float32 [n, outputs], the best epoch's predictions for the validation split.

    Raises:
        NonFiniteLossError: the loss is not finite.
    """
    share_prefixes(network, phases, inputs)
    for phase in phases:
        prefix, suffix = prepare(network, phase, inputs)
        batches = inputs.batches("train", prefix)
        compile_(suffix, train, learning_rate(phase, train, batches.num_batches))
        patience = train.early_stopping.patience if train.early_stopping else None
        suffix.fit(
            batches,
            validation_data=inputs.batches("validation", prefix),
            epochs=phase.epochs,
            callbacks=[EpochEnd(network, progress, report, patience)],
            verbose=0,
        )
        if progress.decision is not Decision.CONTINUE:
            break
    network.model.set_weights(progress.best_weights)
    return suffix.predict(inputs.batches("validation", prefix), verbose=0)


def share_prefixes(network: Network, phases: list[Phase], inputs: Inputs) -> None:
    """Let a phase with a deeper cut start from the activations that a later phase needs.

    The head's phase cuts above the blocks that are unfrozen afterwards. Running only those
    blocks on what is stored below them saves running the whole backbone once more.
    """
    from tlsearch.backbones.cut import cut

    *earlier, last = phases
    below, rest = cut(network.model, last.cut)
    if below is None or not inputs.storable(below):
        return
    for phase in earlier:
        step, _ = cut(rest, phase.cut)
        if phase.cut and step is not None:
            inputs.derive(phase.cut, below, step)


def prepare(
    network: Network, phase: Phase, inputs: Inputs
) -> tuple[keras.Model | None, keras.Model]:
    """The frozen prefix whose activations are kept, or None, and what is trained on top of it."""
    from tlsearch.backbones.cut import cut

    set_trainable(network, phase)
    prefix, suffix = cut(network.model, phase.cut)
    if prefix is None or not inputs.storable(prefix):
        return None, network.model
    return prefix, suffix


def set_trainable(network: Network, phase: Phase) -> None:
    """Let what is above the phase's cut learn, and nothing else."""
    from tlsearch.backbones.cut import cut

    learning = {layer.name for layer in cut(network.model, phase.cut)[1].layers}
    for layer in network.model.layers:
        layer.trainable = layer.name in learning
    if not phase.train_batch_norm:
        for layer in batch_norms(network.model):
            layer.trainable = False


def trainable_parameters(model: keras.Model) -> int:
    return sum(math.prod(variable.shape) for variable in model.trainable_variables)


def learning_rate(
    phase: Phase, train: Train, steps: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """The phase's learning rate, for epochs of so many steps: as it is, or along a cosine to 0."""
    if train.schedule == "constant":
        return phase.learning_rate
    return keras.optimizers.schedules.CosineDecay(phase.learning_rate, phase.epochs * steps)


def compile_(
    model: keras.Model,
    train: Train,
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule,
) -> None:
    """Loss by the form of the output; the optimizer of the sweep at this learning rate."""
    optimizers = {
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
        "sgd": lambda rate: keras.optimizers.SGD(rate, momentum=0.9, nesterov=True),
    }
    optimizer = optimizers[train.optimizer](learning_rate)
    # An optimizer that makes its variables in the first step has TensorFlow trace that step twice.
    optimizer.build(model.trainable_variables)
    one_output = model.output.shape[-1] == 1
    model.compile(
        optimizer=optimizer,
        loss="binary_crossentropy" if one_output else "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
