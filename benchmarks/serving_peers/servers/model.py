"""The model as every side runs it: onnxruntime with one thread on a call, nothing spinning.

MODEL, SIZE, PORT and PROVIDER (cpu or cuda) come in the environment.
"""

from __future__ import annotations

import os

import numpy as np
import onnxruntime as ort

SIZE = int(os.environ.get("SIZE", 0))
PORT = int(os.environ.get("PORT", 0))
PROVIDER = os.environ.get("PROVIDER", "cpu").upper()


def open_model() -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    wanted = f"{PROVIDER}ExecutionProvider"
    session = ort.InferenceSession(os.environ["MODEL"], options, providers=[wanted])
    if session.get_providers()[0] != wanted:
        raise SystemExit(f"onnxruntime went to {session.get_providers()[0]} in silence")
    return session


def to_image(body: bytes) -> np.ndarray:
    """uint8 [size, size, 3] from the bytes of its pixels."""
    return np.frombuffer(body, np.uint8).reshape(SIZE, SIZE, 3)


def classify(session: ort.InferenceSession, images: np.ndarray) -> np.ndarray:
    """float32 [n, classes]"""
    return session.run(None, {"images": images})[0]


def classify_bound(session: ort.InferenceSession, images: np.ndarray) -> np.ndarray:
    """The same through IOBinding: to the device and back once."""
    binding = session.io_binding()
    binding.bind_cpu_input("images", images)
    binding.bind_output("probabilities")
    session.run_with_iobinding(binding)
    return binding.copy_outputs_to_cpu()[0]
