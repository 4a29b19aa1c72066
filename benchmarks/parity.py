"""How far a sweep's bundle and its server lie from the Keras model, on every photo of a split.

    python -P benchmarks/parity.py SWEEP [KEY=VALUE]... [--split test]

With `-P`, or serving.py, which lies beside it, would pass for the package `serving`.
The export holds the two together on the validation split; this reads any split, and needs the
sweep's TLSEARCH_HOME. Prints the photos, the share with the same top class, the largest difference
of a probability, and both accuracies; the same for the answers of `tlsearch predict` and of
`tlsearch serve` to the photos' files.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
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
    files = [Path(dataset.paths[row]) for row in dataset.splits[split]]
    predicted = np.stack([one.probabilities for one in engine.classify(files)])
    served = ask_server(folder, files, engine.bundle.labels)
    return {
        **compare(expected, received).as_dict(),
        "accuracy_keras": float((expected.argmax(1) == labels).mean()),
        "accuracy_onnx": float((received.argmax(1) == labels).mean()),
        "predict": compare(expected, predicted).as_dict(),
        "serve": compare(expected, served).as_dict(),
    }


def ask_server(bundle: Path, files: Sequence[Path], labels: Sequence[str]) -> np.ndarray:
    """Probabilities float32 [n, classes] that a server of the bundle gives for photos' files."""
    with running(bundle) as address, httpx.Client(base_url=address, timeout=60) as client:
        rows = []
        for file in files:
            answer = client.post("/v1/classify", content=file.read_bytes()).raise_for_status()
            by_label = {one["label"]: one["probability"] for one in answer.json()["predictions"]}
            rows.append([by_label[label] for label in labels])
    return np.array(rows, np.float32)


@contextmanager
def running(bundle: Path) -> Iterator[str]:
    """A server of the bundle; its address, once it is ready."""
    command = [sys.executable, "-P", "-m", "serving", str(bundle), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().split()[-1]
            assert server.stdout.readline().startswith("ready"), "the server did not start"
            yield address
        finally:
            server.terminate()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sweep")
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--split", default="test", choices=["train", "validation", "test"])
    given = parser.parse_args()
    print(json.dumps(measure(given.sweep, given.overrides, given.split), indent=2))
