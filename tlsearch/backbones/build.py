"""Building a backbone: the network, its weights, its preprocessing and its blocks.

What the table knows is built here; a user's own file and KerasHub presets are in `custom.py`.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from tlsearch.backbones.preprocessing import Preprocess, preprocessing
from tlsearch.backbones.table import Row, find
from tlsearch.backbones.weights import check_alpha, load_weights
from tlsearch.config.schema import BackboneChoice
from tlsearch.errors import UsageError

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Backbone:
    """A network without its classifier.

    `model` maps the preprocessed image, float32 `[batch, image_size, image_size, 3]`, to the
    feature map `[batch, h, w, c]`. `preprocess` maps float32 RGB 0..255 to the model's input.
    `blocks` are the names of the operations in `model` that end its blocks, from input to output;
    the last one is its output.
    """

    spec: BackboneChoice
    model: keras.Model
    preprocess: Preprocess
    image_size: int
    blocks: tuple[str, ...]


def build(spec: BackboneChoice, image_size: int | None, *, pretrained: bool = True) -> Backbone:
    """Build a backbone for photos of `image_size` pixels a side (None: what it was trained at).

    Args:
        pretrained: False starts from random weights, as `weights: random` does; reads and
            downloads nothing, save a user's own `.keras` file, whose graph is needed. The graph is
            the same either way.

    Raises:
        UsageError: no such network, width or size.
        WeightsError: the weights are absent, cannot be fetched, or do not fit.
        SetupError: a KerasHub preset without KerasHub.
    """
    from tlsearch.backbones import custom

    pretrained = pretrained and spec.weights != "random"
    if spec.is_file:
        return custom.from_file(spec, image_size, pretrained)
    if spec.preset is not None:
        return custom.from_preset(spec, image_size, pretrained)
    return _from_table(spec, find(spec.name), image_size, pretrained)


def lower_momentum(model: keras.Model, momentum: float = 0.9) -> None:
    """Let batch normalisation learn its statistics within a small data set, for random starts.

    Keras' networks average them with a momentum of up to 0.9997, made for hundreds of thousands of
    steps: after 100 steps at 0.999 the moving average has gone a tenth of its way from 0 and 1,
    and a network that trained well predicts nonsense. At 0.9 the same 100 steps are plenty.
    Call it before the model is first trained or traced.
    """
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = min(layer.momentum, momentum)


def _from_table(
    spec: BackboneChoice, row: Row, image_size: int | None, pretrained: bool
) -> Backbone:
    size = image_size or row.image_size
    check_alpha(row, spec.alpha)
    _check_size(row, size)
    model = _name_blocks(_construct(row, spec.alpha, size), row)
    if pretrained:
        load_weights(model, row, spec, size)
    return Backbone(spec, model, preprocessing(row.preprocessing), size, row.blocks)


def _check_size(row: Row, size: int) -> None:
    if size < row.smallest:
        raise UsageError(
            f"the photos are too small for {row.name}",
            received=f"image_size: {size}",
            expected=f"{row.smallest} or more",
            hint=f"write `image_size: {row.image_size}`, which it was trained at",
        )


def _construct(row: Row, alpha: float | None, size: int) -> keras.Model:
    module, _, name = row.factory.rpartition(".")
    factory = getattr(import_module(module), name)
    width = {} if alpha is None else {"alpha": alpha}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # keras warns of weights that are not loaded here
        model: keras.Model = factory(
            input_shape=(size, size, 3), include_top=False, weights=None, **width
        )
    return model


def _name_blocks(model: keras.Model, row: Row) -> keras.Model:
    """Give the ends of blocks their fixed names where Keras only counts.

    A name like `add_17` depends on what was built before in the same process, and a cut's name is
    part of the key under which activations are stored.
    """
    import keras

    unnamed = (op for op in model.operations if type(op).__name__ == row.unnamed)
    for operation, name in zip(unnamed, row.blocks[:-1], strict=False):
        operation.name = name
    model.operations[-1].name = row.blocks[-1]
    return keras.Model(model.input, model.output, name=row.name)
