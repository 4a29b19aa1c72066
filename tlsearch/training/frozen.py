"""A pretrained backbone as far as it stays frozen: built only when something has to be computed.

Photos go in, and the output at any cut comes out: at the end of a block, or pooled. A worker keeps
the last ones it built, and no trial changes their weights.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal

import numpy as np

from tlsearch.backbones.table import BACKBONES
from tlsearch.backbones.weights import weights_digest
from tlsearch.config.schema import BackboneChoice
from tlsearch.data.photo import RESIZE_RULE
from tlsearch.execution.devices import gpus
from tlsearch.store.key import ActivationKey
from tlsearch.training.head import POOLED, pool

if TYPE_CHECKING:
    import keras

    from tlsearch.backbones.build import Backbone

WORTH_CONVERTING = 2_000
"""Photos from which on the conversion to onnxruntime pays."""
FORMAT = 2
"""To be raised when the same key would mean other numbers."""
_RESIZE = hashlib.sha256(json.dumps(RESIZE_RULE, sort_keys=True).encode()).hexdigest()[:12]
Pooling = Literal["avg", "max"]
Run = Callable[[np.ndarray], np.ndarray]
"""From a batch to its outputs."""


def frozen_backbone(
    spec: BackboneChoice, image_size: int, pooling: Pooling, policy: str
) -> FrozenBackbone:
    """The backbone of these settings, the same one each time while it is kept.

    Raises:
        WeightsError: the file of its weights is not there.
    """
    return _kept(spec, image_size, pooling, policy, weights_digest(spec, image_size))


@lru_cache(maxsize=2)
def _kept(
    spec: BackboneChoice, image_size: int, pooling: Pooling, policy: str, weights: str
) -> FrozenBackbone:
    # A file that changed while the worker lived has another digest.
    return FrozenBackbone(spec, image_size, pooling, policy)


@dataclass(frozen=True, eq=False)
class FrozenBackbone:
    """A backbone under its pooling. policy: the Keras dtype policy that it computes in.

    A cut is the name of an operation that ends a block, or `POOLED`.
    """

    spec: BackboneChoice
    image_size: int
    pooling: Pooling
    policy: str

    @cached_property
    def blocks(self) -> tuple[str, ...]:
        """The cuts between blocks, from input to output; the last one is the feature map."""
        row = None if self.spec.is_file else BACKBONES.get(self.spec.name)
        return row.blocks if row else self._backbone.blocks

    @cached_property
    def network(self) -> keras.Model:
        """From photos uint8 [batch, s, s, 3] to pooled features [batch, c], its layers flat."""
        from tlsearch.backbones.cut import assemble

        with _computing_in(self.policy):
            return assemble(self._backbone, lambda features: pool(features, self.pooling))

    def key(self, cut: str, view: str) -> ActivationKey:
        """What the store keeps the outputs at a cut under; reads the weights, builds nothing."""
        row = None if self.spec.is_file else BACKBONES.get(self.spec.name)
        is_pooled = cut == POOLED
        return ActivationKey(
            backbone=self.spec.label,
            weights=weights_digest(self.spec, self.image_size),
            preprocessing=row.preprocessing if row else "its own",
            resize=_RESIZE,
            image_size=self.image_size,
            cut=f"{POOLED}:{self.pooling}" if is_pooled else cut,
            view=view,
            # Pooled features are small, and reading half precision takes the processor longer.
            dtype="float32" if is_pooled else "float16",
            compute=self.policy,
            version=_version(),
        )

    def between(self, start: str | None, end: str) -> keras.Model:
        """The frozen network from one cut, or with None from the photos, to a later one."""
        from tlsearch.backbones.cut import cut

        rest = cut(self.network, start)[1]
        if end == POOLED:
            return rest
        step, _ = cut(rest, end)
        assert step is not None
        return step

    def boundary(self, unfreeze: int) -> str | None:
        """The cut below the top `unfreeze` blocks; None where that is all of them."""
        from tlsearch.backbones.cut import boundary

        return boundary(self.blocks, unfreeze)

    def cuts_below(self, cut: str) -> tuple[str, ...]:
        """The cuts that come before this one, from input to output."""
        return self.blocks if cut == POOLED else self.blocks[: self.blocks.index(cut)]

    def precedes(self, first: str, second: str) -> bool:
        return first in self.cuts_below(second)

    @cached_property
    def parameters(self) -> int:
        """Of the backbone, without a classifier."""
        return int(self.network.count_params())

    def parameters_below(self, cut: str) -> int:
        """Of the prefix that ends at the cut."""
        return int(self.between(None, cut).count_params())

    def row_shape(self, cut: str) -> tuple[int, ...]:
        return tuple(self.between(None, cut).output.shape[1:])

    def runner(self, start: str | None, end: str, photos: int) -> Run:
        """How to compute outputs at `end` from batches of photos uint8, or of outputs at `start`.

        Args:
            photos: how many there will be: converting takes seconds.
        """
        step = self.between(start, end)
        return fastest(step if start is None else reading(step), photos)

    @cached_property
    def _backbone(self) -> Backbone:
        from tlsearch.backbones.build import build

        with _computing_in(self.policy):
            return build(self.spec, self.image_size)


@contextmanager
def _computing_in(policy: str) -> Iterator[None]:
    """Layers made in the block have this policy, whatever that of the process is."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@cache
def _version() -> str:
    """Of what else could change the numbers."""
    return f"keras {version('keras')}, format {FORMAT}"


def reading(step: keras.Model) -> keras.Model:
    """A model that takes what the store keeps, float16: the cast is quicker inside the graph."""
    import keras

    from tlsearch.backbones.graph import replay

    stored = keras.Input(step.input.shape[1:], dtype="float16", name="activations")
    outputs = replay(step, keras.ops.cast(stored, "float32"))
    return keras.Model(stored, outputs, name=f"{step.name}_reading")


def fastest(model: keras.Model, photos: int) -> Run:
    """How to run a frozen model over so many photos.

    On a CPU onnxruntime takes about half of TensorFlow's time, and a few seconds to convert to.
    """
    import keras

    floats = all(layer.compute_dtype == "float32" for layer in model.layers)
    if gpus() or keras.backend.backend() != "tensorflow" or not floats or photos < WORTH_CONVERTING:
        return lambda batch: np.asarray(model.predict_on_batch(batch), "float32")
    return _in_onnxruntime(model)


def _in_onnxruntime(model: keras.Model) -> Run:
    import onnxruntime

    from tlsearch.backbones.convert import to_onnx

    converted = to_onnx(model, input_name="inputs", output_name="activations")
    session = onnxruntime.InferenceSession(
        converted.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return lambda batch: session.run(None, {"inputs": batch})[0]
