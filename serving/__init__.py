"""Serving a bundle: needs onnxruntime, Pillow and numpy; no TensorFlow, no MLflow.

from serving import Bundle, Engine

engine = Engine(Bundle.open("bundle"))
engine.replay_golden()
for prediction in engine.classify([Path("daisy.jpg")]):
    print(prediction.source, prediction.label, prediction.probability)
"""

from serving.bundle import Bundle
from serving.engine import Engine, Prediction

__all__ = ["Bundle", "Engine", "Prediction"]
