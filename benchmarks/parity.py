"""How far a sweep's bundle lies from the Keras model it came from, on every photo of a split.

    python -P benchmarks/parity.py SWEEP [KEY=VALUE]... [--split test]

With `-P`, or serving.py, which lies beside it, would pass for the package `serving`.
The export holds the two together on the validation split; this reads any split, and needs the
sweep's TLSEARCH_HOME. Prints the photos, the share with the same top class, the largest difference
of a probability, and both accuracies.
"""

from __future__ import annotations

import argparse
import json

import numpy as np

from serving import Bundle, Engine
from tlsearch import load
from tlsearch.data.dataset import pixel_store, prepare
from tlsearch.export.job import ExportJob
from tlsearch.export.keras_answers import put_temperature
from tlsearch.export.parity import compare
from tlsearch.paths import Paths
from tlsearch.search.run import find_study
from tlsearch.training.job import photos


def measure(file: str, overrides: list[str], split: str) -> dict[str, float]:
    """Compare the champion's weights in Keras with its bundle in onnxruntime."""
    sweep, paths = load(file, overrides), Paths.from_environment()
    study = find_study(sweep, paths)
    best = study.champion()
    configuration = study.configuration_of(best)
    dataset = prepare(sweep.data, paths, configuration.image_size)
    folder = paths.sweep(sweep.name).bundle
    job = ExportJob(best.number, sweep, configuration, dataset, paths, folder, judge=False)
    model = job.load_model()
    engine = Engine(Bundle.open(folder))
    calibration = engine.bundle.manifest.calibration
    if calibration is not None:
        put_temperature(model, calibration.temperature)
    batches = list(photos(dataset, split, pixel_store(paths, configuration.image_size)).batches(32))
    expected = np.concatenate([model.predict_on_batch(batch) for batch in batches])
    received = np.concatenate([engine.predict(batch) for batch in batches])
    labels = dataset.labels_of(split)
    return {
        **compare(expected, received).as_dict(),
        "accuracy_keras": float((expected.argmax(1) == labels).mean()),
        "accuracy_onnx": float((received.argmax(1) == labels).mean()),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sweep")
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--split", default="test", choices=["train", "validation", "test"])
    given = parser.parse_args()
    print(json.dumps(measure(given.sweep, given.overrides, given.split), indent=2))
