"""The graph inside a functional Keras model: its operations, its single-tensor boundaries, and how
it is run again, flat, on another input.

The only file that reads Keras' own bookkeeping of nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Boundary:
    """An operation whose one output is all that the rest of the model gets to see."""

    operation: Any
    tensor: Any

    @property
    def name(self) -> str:
        return str(self.operation.name)


def nodes(model: keras.Model) -> list[Any]:
    """The calls of operations that make up the model, each after those it depends on."""
    import keras

    graph = model._functional if isinstance(model, keras.Sequential) else model
    by_depth = graph._nodes_by_depth
    return [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]


def boundaries(model: keras.Model) -> list[Boundary]:
    """Every single-tensor boundary, from the input to the output, both included."""
    steps = nodes(model)
    last_use = {id(t): step for step, node in enumerate(steps) for t in node.input_tensors}
    last_use |= {id(tensor): len(steps) for tensor in model.outputs}
    found, waiting = [], set()
    for step, node in enumerate(steps):
        waiting |= {id(tensor) for tensor in node.outputs}
        waiting = {tensor for tensor in waiting if last_use.get(tensor, -1) > step}
        if len(waiting) == 1 and id(node.outputs[0]) in waiting:
            found.append(Boundary(node.operation, node.outputs[0]))
    return found


def replay(model: keras.Model, images: Any) -> Any:
    """Run the operations of `model` one by one on a symbolic tensor, and return its output.

    Calling the model would make it one opaque layer; replayed, its layers stand flat in whatever
    model is made of the result, and are shared with it. Nested models are replayed as well.
    """
    import keras

    computed: dict[int, Any] = {}
    for node in nodes(model):
        if node.is_input:
            computed[id(node.outputs[0])] = images
            continue
        args, kwargs = node.arguments.fill_in(computed)
        results = keras.tree.flatten(_call_flat(node.operation, *args, **kwargs))
        computed |= {id(old): new for old, new in zip(node.outputs, results, strict=True)}
    return results[0]


def _call_flat(operation: Any, *args: Any, **kwargs: Any) -> Any:
    if is_graph(operation) and len(operation.inputs) == 1:
        return replay(operation, args[0])
    return operation(*args, **kwargs)


def is_graph(operation: Any) -> bool:
    """Whether it is a model made of a graph that can be looked into."""
    import keras
    from keras.src.models import Functional  # keras exports no name for it

    if isinstance(operation, keras.Sequential):
        return bool(operation.built)
    return isinstance(operation, Functional)
