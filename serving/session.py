"""Opening an ONNX model in onnxruntime on the hardware that was asked for, and on no other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from tlsearch.errors import BundleError, SetupError
from tlsearch.export.checksums import EXPORT_AGAIN

Images = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"
# HEURISTIC picks a convolution without timing them all, which would stall each new batch size.
_OPTIONS: dict[str, dict[str, Any]] = {CUDA: {"cudnn_conv_algo_search": "HEURISTIC"}}
_WARNINGS_OFF = 3


def open_session(
    model: Path, providers: Sequence[str] | None, threads: int
) -> ort.InferenceSession:
    """A session on the first of `providers` (default: the CPU).

    Args:
        threads: how many threads work on one call. Under load several callers with one thread
            each do more than one caller with many.

    Raises:
        SetupError: a provider is not there, or its device fails; onnxruntime would have gone to
            the CPU.
        BundleError: onnxruntime cannot read the model.
    """
    wanted = list(providers or [CPU])
    _check_available(wanted)
    chosen = [(name, _OPTIONS.get(name, {})) for name in wanted]
    options = _session_options(threads)
    try:
        # With the fallback an error of the device, now or later, would move it to the CPU.
        session = ort.InferenceSession(str(model), options, providers=chosen, enable_fallback=0)
    except Exception as error:  # onnxruntime's errors have no common class
        if wanted[0] != CPU:
            open_session(model, [CPU], threads)  # else it is the model that is wrong
            raise _not_there(wanted[0], str(error)[:500]) from error
        raise BundleError(
            f"onnxruntime cannot open {model}",
            received=str(error),
            expected=f"a model that onnxruntime {ort.__version__} can read",
            hint=EXPORT_AGAIN,
        ) from error
    if session.get_providers()[0] != wanted[0]:
        raise _not_there(wanted[0], f"a session on {', '.join(session.get_providers())}")
    return session


def check_signature(session: ort.InferenceSession, size: int, labels: int) -> None:
    """Check that the model takes photos of `size` and gives a probability for each label.

    Raises:
        BundleError: it does not.
    """
    received = [
        (port.name, port.type, list(port.shape)[1:])
        for port in (*session.get_inputs(), *session.get_outputs())
    ]
    expected: list[tuple[str, str, list[int]]] = [
        ("images", "tensor(uint8)", [size, size, 3]),
        ("probabilities", "tensor(float)", [labels]),
    ]
    if received != expected:
        raise BundleError(
            "the model does not fit its bundle.json",
            received=_describe(received),
            expected=_describe(expected),
            hint=EXPORT_AGAIN,
        )


def _session_options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _WARNINGS_OFF
    # A spinning thread takes the core away from the other callers.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    return options


def _check_available(wanted: list[str]) -> None:
    for name in wanted:
        if name not in ort.get_available_providers():
            raise _not_there(name, f"onnxruntime with {', '.join(ort.get_available_providers())}")


def _not_there(provider: str, received: str) -> SetupError:
    return SetupError(
        f"onnxruntime cannot run on {provider} here",
        received=received,
        expected=f"{provider}; for CUDA: an NVIDIA driver, CUDA and cuDNN that fit onnxruntime-gpu",
        hint=f"run `nvidia-smi`, or serve on the CPU: {CPU}",
    )


def _describe(ports: Sequence[tuple[str, str, list[Any]]]) -> str:
    return "; ".join(f"{name} {kind} [batch, {str(shape)[1:-1]}]" for name, kind, shape in ports)
