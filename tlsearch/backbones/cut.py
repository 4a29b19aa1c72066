"""Putting a whole classifier together, and cutting it in two at a block boundary.

The whole is one functional model from uint8 photos to probabilities in which the backbone's layers
stand flat. Both halves of a cut are functional models over the very same layers: training the
suffix trains the whole, and what is exported is the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tlsearch.backbones.graph import boundaries, replay
from tlsearch.errors import UsageError

if TYPE_CHECKING:
    import keras

    from tlsearch.backbones.build import Backbone


def assemble(
    backbone: Backbone, head: Callable[[Any], Any], *, dtype: str = "uint8"
) -> keras.Model:
    """The full network: photos -> preprocessing -> backbone -> `head`.

    Args:
        backbone: shared, not copied: the full network trains its layers.
        head: from the symbolic feature map `[batch, h, w, c]` to the output, as a rule
            probabilities `[batch, classes]`.
        dtype: of the input `images`, `[batch, size, size, 3]` RGB 0..255. Keras casts what it is
            given to it, so floats that are not whole numbers need `float32`.
    """
    import keras

    size = backbone.image_size
    images = keras.Input((size, size, 3), dtype=dtype, name="images")
    pixels = keras.ops.cast(images, "float32")
    features = replay(backbone.model, backbone.preprocess(pixels))
    return keras.Model(images, head(features), name="classifier")


def cut(model: keras.Model, boundary: str | None) -> tuple[keras.Model | None, keras.Model]:
    """The prefix (input -> tensor at the boundary) and the suffix (that tensor -> output).

    Args:
        model: functional, with one input and one output; a backbone's model or a full network.
        boundary: the name of the operation whose output is cut at; None leaves all of the model
            in the suffix and no prefix.

    Raises:
        UsageError: nothing of this name, other paths lead around it, or it is the model's input
            or output, which leaves nothing for one of the halves.
    """
    import keras

    if boundary is None:
        return None, model
    cuts = {found.name: found.tensor for found in boundaries(model)[1:-1]}
    if boundary not in cuts:
        raise UsageError(
            f"{model.name} cannot be cut there",
            received=boundary,
            expected="an operation that everything passes through",
            hint="`tlsearch backbones --json` lists the blocks of each network",
        )
    tensor = cuts[boundary]
    prefix = keras.Model(model.input, tensor, name=f"{model.name}_prefix")
    return prefix, keras.Model(tensor, model.output, name=f"{model.name}_suffix")


def boundary(blocks: Sequence[str], unfreeze: int) -> str | None:
    """Where to cut a backbone of these blocks so that the top `unfreeze` of them are the suffix.

    0 cuts at the feature map (the backbone is all frozen); None, where every block learns, means
    that there is nothing to freeze.
    """
    frozen = len(blocks) - unfreeze
    return blocks[frozen - 1] if frozen > 0 else None
