"""What a trained Keras network answers, and the temperature that is put into it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tlsearch.export.calibration import Temperature, fit_temperature
from tlsearch.training.head_model import CLASSIFIER
from tlsearch.training.trained import two_columns

if TYPE_CHECKING:
    import keras

    from tlsearch.training.photos import Photos

BATCH = 32


@dataclass(frozen=True, eq=False)
class Calibrated:
    """Probabilities float32 [n, classes] after the logits were divided by the temperature."""

    temperature: Temperature
    probabilities: np.ndarray


def ask_keras(model: keras.Model, photos: Photos) -> np.ndarray:
    """What the network makes of all photos: float32 [n, outputs]."""
    return np.concatenate([model.predict_on_batch(batch) for batch in photos.batches(BATCH)])


def calibrate(model: keras.Model, photos: Photos, labels: np.ndarray) -> Calibrated:
    """Fit the temperature on the photos and divide the classifier's own weights by it.

    So it stands before the softmax and costs nothing: the graph is as large as before.

    Args:
        model: as `TrialJob.load_model` gives it. It answers calibrated from now on.
        labels: int [n].
    """
    import keras

    classifier = model.get_layer(CLASSIFIER)
    features = ask_keras(keras.Model(model.input, classifier.input), photos)
    kernel, bias = classifier.get_weights()
    temperature = fit_temperature(features @ kernel + bias, labels)
    put_temperature(model, temperature.value)
    answers = np.asarray(keras.ops.convert_to_numpy(classifier(features)))
    return Calibrated(temperature, two_columns(answers))


def put_temperature(model: keras.Model, temperature: float) -> None:
    """Divide the logits of a network by a temperature."""
    classifier = model.get_layer(CLASSIFIER)
    classifier.set_weights([array / temperature for array in classifier.get_weights()])
