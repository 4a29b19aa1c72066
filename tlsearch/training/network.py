"""The network of one trial, whole: photos in, probabilities out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tlsearch.config.configuration import Configuration
from tlsearch.config.schema import Train
from tlsearch.errors import UsageError
from tlsearch.training.head import POOLED, apply_head

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Network:
    """A full model and where it may be cut.

    `model` maps photos uint8 [batch, size, size, 3] to probabilities [batch, outputs].
    """

    model: keras.Model
    image_size: int
    head_cut: str
    """The boundary below the head: everything before it is the backbone, pooled."""
    block_cut: str | None
    """The boundary below the unfrozen blocks; None where everything is trained."""


def build_network(
    configuration: Configuration, classes: int, train: Train, *, weights: bool = True
) -> Network:
    """Put preprocessing, backbone and head together.

    Args:
        weights: load pretrained weights; False where trained ones will be loaded anyway.

    Raises:
        UsageError: a sigmoid for more than two classes.
        WeightsError: pretrained weights are not at hand.
    """
    from tlsearch.backbones.build import build, lower_momentum
    from tlsearch.backbones.cut import assemble, boundary

    from_scratch = configuration.strategy == "from_scratch"
    backbone = build(
        configuration.backbone,
        configuration.image_size,
        pretrained=weights and not from_scratch,
    )
    outputs = _outputs(classes, train)
    model = assemble(backbone, lambda features: apply_head(features, configuration, outputs))
    if from_scratch:
        lower_momentum(model)
    cut = None if from_scratch else boundary(backbone, configuration.unfreeze or 0)
    return Network(model, backbone.image_size, POOLED, cut)


def _outputs(classes: int, train: Train) -> int:
    if train.output == "softmax":
        return classes
    if classes != 2:
        raise UsageError(
            "train.output: sigmoid is for two classes",
            received=f"{classes} classes",
            expected="two classes, or softmax",
            hint="train.output=softmax",
        )
    return 1


def batch_norms(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    """Every batch normalisation layer of the model, nested models included."""
    from keras import layers

    return [
        layer
        for layer in model._flatten_layers(include_self=False)
        if isinstance(layer, layers.BatchNormalization)
    ]


def as_probabilities(model: keras.Model) -> keras.Model:
    """The model with one probability a class, also where it ends in a single sigmoid."""
    import keras

    if model.output.shape[-1] > 1:
        return model
    second = model.output
    both = keras.ops.concatenate([1.0 - second, second], axis=-1)
    return keras.Model(model.input, both, name=model.name)
