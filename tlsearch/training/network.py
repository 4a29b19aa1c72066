"""The networks of one trial: the whole one, photos to probabilities, and its upper part alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tlsearch.config.configuration import Configuration
from tlsearch.config.schema import Train
from tlsearch.errors import UsageError
from tlsearch.training.head import apply_head

if TYPE_CHECKING:
    import keras

    from tlsearch.training.frozen import FrozenBackbone


def build_network(
    configuration: Configuration, classes: int, train: Train, *, weights: bool = True
) -> keras.Model:
    """Put preprocessing, backbone and head together.

    Args:
        weights: load pretrained weights; `from_scratch` never does.

    Returns:
        From photos uint8 [batch, s, s, 3] to probabilities [batch, outputs].

    Raises:
        UsageError: a sigmoid for more than two classes.
        WeightsError: pretrained weights are not at hand.
    """
    from tlsearch.backbones.build import build, lower_momentum
    from tlsearch.backbones.cut import assemble

    from_scratch = configuration.strategy == "from_scratch"
    backbone = build(
        configuration.backbone,
        configuration.image_size,
        pretrained=weights and not from_scratch,
    )
    outputs = count_outputs(classes, train)
    model = assemble(backbone, lambda features: apply_head(features, configuration, outputs))
    if from_scratch:
        lower_momentum(model)
    return model


def build_suffix(
    frozen: FrozenBackbone, cut: str, configuration: Configuration, outputs: int
) -> keras.Model:
    """The blocks above a cut, in copies of their own, and a head on top.

    Returns:
        From stored activations float16 [batch, ...] to probabilities [batch, outputs]; its layers
        are called as in the whole network.
    """
    import keras

    from tlsearch.backbones.graph import replay

    step = frozen.between(cut, frozen.blocks[-1])
    copy = keras.models.clone_model(step)
    copy.set_weights(step.get_weights())
    stored = keras.Input(step.input.shape[1:], dtype="float16", name="activations")
    features = replay(copy, keras.ops.cast(stored, "float32"))
    return keras.Model(stored, apply_head(features, configuration, outputs), name="suffix")


def count_outputs(classes: int, train: Train) -> int:
    """How many numbers the network answers with.

    Raises:
        UsageError: a sigmoid for more than two classes.
    """
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


def let_learn(model: keras.Model, cut: str | None, *, batch_norm: bool) -> None:
    """Let what is above the cut learn, and nothing else.

    Args:
        cut: an operation of the model; None is all of it.
        batch_norm: let batch normalisation learn too, and not stay in inference mode.
    """
    from tlsearch.backbones.cut import cut as divide

    learning = {layer.name for layer in divide(model, cut)[1].layers}
    for layer in model.layers:
        layer.trainable = layer.name in learning
    if not batch_norm:
        for layer in batch_norms(model):
            layer.trainable = False


def trainable_parameters(model: keras.Model) -> int:
    return sum(math.prod(variable.shape) for variable in model.trainable_variables)


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
