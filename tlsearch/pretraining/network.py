"""The network that is pretrained: a backbone, and on top of it what only the pretraining needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from tlsearch.backbones.build import Backbone, build
from tlsearch.backbones.cut import assemble
from tlsearch.config.pretraining import Pretraining, PretrainingSteps
from tlsearch.pretraining.contrast import NTXent
from tlsearch.training.head import pool

WARM_UP = 0.05
"""The share of the steps over which the learning rate rises."""


@dataclass(frozen=True)
class Pupil:
    """A compiled model and the backbone in it, which share their layers.

    `model` maps pictures uint8 [batch, size, size, 3] to logits [batch, classes], one output for
    each factor of the labels, or to projections [batch, projection].
    """

    model: keras.Model
    backbone: Backbone


def build_pupil(recipe: Pretraining, factors: Sequence[int], steps: int) -> Pupil:
    """Build and compile it.

    Args:
        factors: how many classes each factor of the labels has; with SimCLR they are not used.
        steps: of the whole training, for the learning rate.

    Raises:
        WeightsError: the weights to start from are not at hand or do not fit.
    """
    backbone = build(recipe.backbone, recipe.image_size)
    contrasts = recipe.method == "simclr"
    width = recipe.simclr.projection

    def top(features: Any) -> Any:
        pooled = pool(features, "avg")
        return _project(pooled, width) if contrasts else _classify(pooled, factors)

    model = assemble(backbone, top)
    optimizer = _optimizer(recipe.train, steps)
    optimizer.build(model.trainable_variables)
    if contrasts:
        model.compile(optimizer, NTXent(recipe.simclr.temperature))
    else:
        losses = [_cross_entropy() for _ in factors]
        model.compile(optimizer, losses, metrics=[["accuracy"] for _ in factors])
    return Pupil(model, backbone)


def feature_model(backbone: Backbone) -> keras.Model:
    """Pictures uint8 [batch, size, size, 3] to pooled features [batch, c]; shares all layers."""
    return assemble(backbone, lambda features: pool(features, "avg"))


def _classify(pooled: Any, factors: Sequence[int]) -> Any:
    outputs = [
        layers.Dense(classes, dtype="float32", name=f"factor_{number}")(pooled)
        for number, classes in enumerate(factors)
    ]
    return outputs if len(outputs) > 1 else outputs[0]


def _project(pooled: Any, width: int) -> Any:
    hidden = layers.Dense(pooled.shape[-1], use_bias=False, name="projection_1")(pooled)
    hidden = layers.BatchNormalization(momentum=0.9, name="projection_norm")(hidden)
    hidden = layers.ReLU(name="projection_relu")(hidden)
    return layers.Dense(width, dtype="float32", name="projection_2")(hidden)


def _cross_entropy() -> keras.losses.Loss:
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def _optimizer(train: PretrainingSteps, steps: int) -> keras.optimizers.Optimizer:
    warm = max(1, round(WARM_UP * steps))
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=train.learning_rate / 100,
        decay_steps=max(1, steps - warm),
        warmup_target=train.learning_rate,
        warmup_steps=warm,
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=train.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer
