"""An ONNX model in onnxruntime: its answers, and how fast it gives them beside another."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import onnxruntime

    from tlsearch.training.photos import Photos

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
BATCHES = {CPU: 1, CUDA: 32}
"""What is fast with one photo on a CPU is with many on a GPU."""
BATCH = 32
SECONDS, ROUNDS, WARM_UP = 3.0, 300, 5
_WARNINGS, _ERRORS, _FATAL = 2, 3, 4


def open_session(
    model: bytes,
    *,
    threads: int = 0,
    provider: str = CPU,
    as_written: bool = False,
) -> onnxruntime.InferenceSession:
    """A session; on the CPU unless another provider is named.

    Args:
        threads: how many work on one call; 0 is as many as there are cores.
        as_written: fuse and replace nothing: int8 is then computed in floating point.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = _ERRORS
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if as_written:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model, options, providers=[provider])


def answer(session: onnxruntime.InferenceSession, photos: Photos) -> np.ndarray:
    """Probabilities float32 [n, classes] of the ONNX model for all photos."""
    return np.concatenate([ask(session, batch) for batch in photos.batches(BATCH)])


def ask(session: onnxruntime.InferenceSession, images: np.ndarray) -> np.ndarray:
    """Probabilities float32 [n, classes] for photos uint8 [n, s, s, 3], in one run."""
    return session.run(None, {"images": images})[0]


def fastest_provider() -> str:
    """CUDA where it works, not only where onnxruntime was built for it; else the CPU."""
    import onnxruntime

    if CUDA not in onnxruntime.get_available_providers():
        return CPU
    return CUDA if _is_usable(CUDA) else CPU


def speed_up(base: bytes, other: bytes, images: np.ndarray, provider: str) -> float:
    """How many times faster the other model is, one thread each, their runs taking turns.

    The medians are compared; on the CPU of what the thread itself has used, so that what else
    runs on the machine counts little.

    Args:
        images: uint8 [n, s, s, 3], as many as one run takes, or more.
    """
    models = {"base": base, "other": other}
    sessions = {
        name: open_session(model, threads=1, provider=provider) for name, model in models.items()
    }
    clock = time.thread_time if provider == CPU else time.perf_counter
    seconds = _take_turns(sessions, images[: BATCHES[provider]], clock)
    return median(seconds["base"]) / median(seconds["other"])


def _take_turns(
    sessions: Mapping[str, onnxruntime.InferenceSession],
    images: np.ndarray,
    clock: Callable[[], float],
) -> Mapping[str, Sequence[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(WARM_UP):
        for session in sessions.values():
            ask(session, images)
    end = time.perf_counter() + SECONDS
    while len(seconds["base"]) < ROUNDS and (time.perf_counter() < end or not seconds["base"]):
        for name, session in sessions.items():
            start = clock()
            ask(session, images)
            seconds[name].append(clock() - start)
    return seconds


def _is_usable(provider: str) -> bool:
    """Whether a session really runs there: onnxruntime falls back to the CPU in silence."""
    import onnxruntime
    from onnx import TensorProto, helper

    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "ab"]
    node = helper.make_node("Identity", ["a"], ["b"])
    graph = helper.make_graph([node], "probe", ports[:1], ports[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnxruntime.set_default_logger_severity(_FATAL)  # or it tells at length what is missing
    try:
        session = open_session(model.SerializeToString(), provider=provider)
    except Exception:  # onnxruntime's errors have no common class
        return False
    finally:
        onnxruntime.set_default_logger_severity(_WARNINGS)
    return session.get_providers()[0] == provider
