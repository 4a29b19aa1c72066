"""Save the model as MLflow's ONNX flavour, for `mlflow models serve`.

MODEL=... SIZE=... python mlflow_model.py FOLDER
"""

from __future__ import annotations

import os
import sys

import mlflow.onnx
import numpy as np
import onnx
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec
from model import SIZE

mlflow.onnx.save_model(
    onnx.load(os.environ["MODEL"]),
    sys.argv[1],
    signature=ModelSignature(
        inputs=Schema([TensorSpec(np.dtype(np.uint8), (-1, SIZE, SIZE, 3), "images")])
    ),
    onnx_session_options={"intra_op_num_threads": 1, "inter_op_num_threads": 1},
    pip_requirements=[],
)
