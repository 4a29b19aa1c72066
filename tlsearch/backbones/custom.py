"""Backbones that are not in the table: a user's own `.keras` file, and KerasHub presets.

A `.keras` file may hold a whole classifier, also one with a network nested in it as a single layer.
Its graph is laid flat and ends where the feature map is last seen. It is given RGB 0..255: a model
that wants something else has to have its own Rescaling or Normalization layer.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from itertools import pairwise, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlsearch.backbones.build import Backbone
from tlsearch.backbones.graph import Boundary, boundaries, is_graph, nodes, replay
from tlsearch.backbones.preprocessing import Preprocess, keep, rescale
from tlsearch.backbones.table import BACKBONES
from tlsearch.backbones.weights import read_weights
from tlsearch.config.schema import BackboneChoice
from tlsearch.errors import SetupError, UsageError, WeightsError

if TYPE_CHECKING:
    import keras

_USUAL_SIZE = 224
_WORDS = re.compile("(?<=[a-z])(?=[A-Z])|(?<=.)(?=[A-Z][a-z])")
"""Where Keras puts an underscore to make an operation's name of its class."""


def from_file(spec: BackboneChoice, image_size: int | None, pretrained: bool) -> Backbone:
    """The backbone inside a `.keras` file.

    Raises:
        WeightsError: the file is absent or cannot be read.
        UsageError: it holds no graph of images, or nothing to take features from.
    """
    import keras

    model = _load(Path(spec.name).expanduser())
    if not pretrained and is_graph(model):
        model = keras.models.clone_model(model)
    return _backbone(spec, model, image_size, pretrained, keep)


def from_preset(spec: BackboneChoice, image_size: int | None, pretrained: bool) -> Backbone:
    """The backbone of a KerasHub preset, with the scaling that its image converter does.

    Raises:
        SetupError: KerasHub is not installed.
        WeightsError: the preset is unknown or cannot be fetched.
    """
    try:
        import keras_hub
    except ImportError as error:
        raise SetupError(
            "this backbone needs KerasHub",
            received=f"{spec.name} ({error})",
            hint="pip install keras-hub",
        ) from error
    try:
        model = keras_hub.models.Backbone.from_preset(spec.preset, load_weights=pretrained)
        converter = keras_hub.layers.ImageConverter.from_preset(spec.preset)
    except Exception as error:  # KerasHub raises whatever its download or its files raise
        raise WeightsError(
            "this KerasHub preset could not be loaded",
            received=f"{spec.preset} ({_first_line(error)})",
            hint="https://keras.io/keras_hub/presets/ lists them; a preset's folder works offline",
        ) from error
    name_by_place(model)
    return _backbone(spec, model, image_size, pretrained, _converting(converter))


def _backbone(
    spec: BackboneChoice,
    model: keras.Model,
    image_size: int | None,
    pretrained: bool,
    preprocess: Preprocess,
) -> Backbone:
    import keras

    _check_input(spec, model)
    path = spec.weights_path if pretrained else None
    misfit = None if path is None else _misfit(model, path)
    size = image_size or model.input_shape[1] or _USUAL_SIZE
    _name_apart(model, {})
    model.trainable = True  # a file remembers what was frozen when it was saved
    images = keras.Input((size, size, 3), name="pixels")
    network = _features(keras.Model(images, _on(model, images, spec), name="backbone"), spec)
    # A pretraining writes the weights of the flat network, without its classifier.
    if path is not None and misfit is not None and _misfit(network, path) is not None:
        raise misfit
    return Backbone(spec, network, preprocess, size, blocks_of(network))


def _misfit(model: keras.Model, path: Path) -> WeightsError | None:
    """Why a weights file does not fit; None where it fits and is read."""
    try:
        read_weights(model, path)
    except WeightsError as error:
        return error
    return None


def _on(model: keras.Model, images: Any, spec: BackboneChoice) -> Any:
    try:
        return replay(model, images)
    except ValueError as error:
        raise UsageError(
            "this network cannot take photos of this size",
            received=f"{spec.name} at {images.shape[1]} pixels ({_first_line(error)})",
            expected=f"{model.input_shape[1]} pixels, which it was made for",
            hint="leave `image_size` out",
        ) from error


def _features(model: keras.Model, spec: BackboneChoice) -> keras.Model:
    """The model up to its feature map, `[batch, h, w, c]`; pooled features become 1 x 1 pixels."""
    import keras

    tensor = _last_map(model)
    if tensor is None:
        raise UsageError(
            "no features were found in this network",
            received=spec.name,
            expected="a feature map or pooled features that all of the network passes through",
            hint="save the network without its classifier: keras.Model(inputs, features).save(...)",
        )
    if len(tensor.shape) < 4:
        shape = (*tensor.shape[1:-1], *(1,) * (4 - len(tensor.shape)), tensor.shape[-1])
        tensor = keras.layers.Reshape(shape, name="as_feature_map")(tensor)
    return keras.Model(model.input, tensor, name=model.name)


def _last_map(model: keras.Model) -> Any | None:
    """The last feature map before pooling, or else the last features before the classifier."""
    import keras

    found = boundaries(model)[1:]
    maps = [boundary.tensor for boundary in takewhile(_is_map, found)]
    if maps and keras.Model(model.input, maps[-1]).count_params() > 0:
        return maps[-1]  # without parameters it would be the photo itself
    flat = [boundary.tensor for boundary in found if len(boundary.tensor.shape) in (2, 3)]
    if len(flat) == 1 or (flat and len(flat[-1].shape) == 3):
        return flat[-1]
    return flat[-2] if flat else None


def _is_map(boundary: Boundary) -> bool:
    pools_all = type(boundary.operation).__name__.startswith("Global")
    return len(boundary.tensor.shape) == 4 and not pools_all


def blocks_of(model: keras.Model) -> tuple[str, ...]:
    """The blocks of a network that the table does not name.

    Those of a row where they fit: a saved network of keras.applications is one still. Otherwise
    a block runs from one convolution (or dense layer) to just before the next, wherever that is a
    single-tensor boundary.
    """
    ends = {boundary.name for boundary in boundaries(model)[1:]}
    last = nodes(model)[-1].operation.name
    fitting = [
        row.blocks
        for row in BACKBONES.values()
        if row.blocks[-1] == last and ends.issuperset(row.blocks)
    ]
    return max(fitting, key=len) if fitting else _blocks_by_kernels(model, ends, last)


def _blocks_by_kernels(model: keras.Model, ends: set[str], last: str) -> tuple[str, ...]:
    found, has_kernel = [], False
    for node, following in pairwise(nodes(model)):
        has_kernel = has_kernel or _has_kernel(node.operation)
        name = node.operation.name
        if has_kernel and name in ends and _has_kernel(following.operation):
            found.append(name)
            has_kernel = False
    return (*found, last)


def _has_kernel(operation: Any) -> bool:
    import keras

    is_layer = isinstance(operation, keras.layers.Layer)
    return is_layer and any(len(weight.shape) > 1 for weight in operation.weights)


def name_by_place(model: keras.Model, count: Iterator[int] | None = None) -> None:
    """Give what has no name of its own one that follows from its place in the network.

    Keras counts such operations over the whole process, and the name of a cut is part of the key
    that activations are stored under.
    """
    count = itertools.count() if count is None else count
    for operation in (node.operation for node in nodes(model)):
        place = next(count)
        kind = _WORDS.sub("_", type(operation).__name__).lower()
        if re.fullmatch(rf"{kind}(_\d+)?", operation.name):
            operation.name = f"{kind}_at_{place}"
        if is_graph(operation):
            name_by_place(operation, count)


def _name_apart(model: keras.Model, taken: dict[str, Any]) -> None:
    """Nested models may repeat names, which one flat graph may not."""
    for operation in (node.operation for node in nodes(model)):
        if is_graph(operation):
            _name_apart(operation, taken)
        elif taken.setdefault(operation.name, operation) is not operation:
            operation.name = f"{model.name}_{operation.name}"
            taken[operation.name] = operation


def _check_input(spec: BackboneChoice, model: keras.Model) -> None:
    if spec.alpha is not None:
        raise UsageError(
            "only networks of the table come in several widths",
            received=f"{spec.name} with alpha: {spec.alpha:g}",
            hint="leave `alpha` out",
        )
    fits = is_graph(model) and len(model.inputs) == 1
    shape = tuple(model.inputs[0].shape) if fits else None
    if shape is None or len(shape) != 4 or shape[-1] != 3:
        raise UsageError(
            "this is not a network over RGB photos",
            received=f"{spec.name} ({type(model).__name__}, input {shape})",
            expected="a functional or sequential model, one input [batch, height, width, 3]",
            hint="build it with keras.Model(inputs, outputs) and save it again",
        )


def _load(path: Path) -> keras.Model:
    import keras

    if not path.is_file():
        raise WeightsError(
            "there is no such model file",
            received=path,
            expected="a model saved with model.save('NAME.keras')",
            hint="write the path from where the command runs, or an absolute one",
        )
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # keras raises whatever the archive, HDF5 or a layer raises
        raise WeightsError(
            "this model file cannot be read",
            received=f"{path} ({_first_line(error)})",
            expected="a model saved with model.save('NAME.keras'), without layers of your own code",
            hint="save it again with this version of Keras",
        ) from error


def _converting(converter: Any) -> Preprocess:
    """What a KerasHub image converter does to the values; sizes are the pixel store's business."""
    scale, offset = converter.scale, converter.offset
    if scale is None and offset is None:
        return keep
    return lambda images: rescale(images, 1.0 if scale is None else scale, offset or 0.0)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
