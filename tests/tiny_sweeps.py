"""Small sweeps through the real command, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SWEEP = """\
version: 1
name: tiny
data:
  source: generated:flowers
  generated: {photos_per_class: 20, size: 64}
  split: {train: 0.6, validation: 0.2, test: 0.2, seed: 7}
  views: 2
budget: {trials: 4}
search: {sampler: random, pruner: none, seed: 4}
space:
  backbone: tiny.keras
  image_size: 32
  strategy: [feature_extraction, fine_tune]
  unfreeze: {choices: [1, 2], when: {strategy: fine_tune}}
  head_learning_rate: {type: float, low: 1e-3, high: 1e-2, log: true}
  augment: [none, light]
train: {epochs: 3, head_epochs: 1, batch_size: 16, early_stopping: null}
execution: {workers: 1}
export: {register: tiny-flowers}
"""
"""Beside it in its folder lies `tiny.keras`, which `save_backbone` writes."""

LONGEST = 600
"""Seconds after which a command counts as hung."""


def save_backbone(path: Path, size: int = 32) -> Path:
    """A convolutional network of three blocks with batch normalisation, of random weights."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    images = keras.Input((size, size, 3))
    x = layers.Rescaling(1 / 255)(images)
    for number, width in enumerate((8, 16, 32), start=1):
        x = layers.Conv2D(width, 3, strides=2, padding="same", name=f"conv_{number}")(x)
        x = layers.BatchNormalization(name=f"norm_{number}")(x)
        x = layers.ReLU(name=f"relu_{number}")(x)
    keras.Model(images, x, name="tiny").save(path)
    return path


def write_sweep(folder: Path, text: str = SWEEP) -> Path:
    """The sweep file in a folder, with its backbone beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    if "tiny.keras" in text:
        save_backbone(folder / "tiny.keras")
    file = folder / "sweep.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def environment(home: Path, **extra: str) -> dict[str, str]:
    """This process' environment with a home of its own and no tracking server or database."""
    others = ("MLFLOW_TRACKING_URI", "TLSEARCH_STORAGE")
    kept = {key: value for key, value in os.environ.items() if key not in others}
    return {**kept, "TLSEARCH_HOME": str(home), "COLUMNS": "200", **extra}


def start(home: Path, *arguments: object, **extra: str) -> subprocess.Popen[str]:
    """Begin a command; it is in a process group of its own, as in a terminal."""
    return subprocess.Popen(
        [sys.executable, "-m", "tlsearch", *map(str, arguments)],
        env=environment(home, **extra),
        cwd=home.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def tlsearch(home: Path, *arguments: object, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    process = start(home, *arguments, **extra)
    try:
        stdout, stderr = process.communicate(timeout=LONGEST)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)
