"""The model as every side runs it: onnxruntime with one thread on a call, nothing spinning.

MODEL, SIZE and PORT come in the environment.
"""

from __future__ import annotations

import os

import numpy as np
import onnxruntime as ort

SIZE = int(os.environ.get("SIZE", 0))
PORT = int(os.environ.get("PORT", 0))


def open_model() -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])


def to_image(body: bytes) -> np.ndarray:
    """uint8 [size, size, 3] from the bytes of its pixels."""
    return np.frombuffer(body, np.uint8).reshape(SIZE, SIZE, 3)


def classify(session: ort.InferenceSession, images: np.ndarray) -> np.ndarray:
    """float32 [n, classes]"""
    return session.run(None, {"images": images})[0]
