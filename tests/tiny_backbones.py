"""Networks of different worth for the drawn flowers of `tiny_sweeps.SWEEP`."""

from __future__ import annotations

from pathlib import Path

from tiny_sweeps import save_backbone

from tlsearch.backbones.build import lower_momentum
from tlsearch.data.dataset import Dataset, pixel_store
from tlsearch.paths import Paths
from tlsearch.training.photos import photos


def save_learned(path: Path, dataset: Dataset, paths: Paths, size: int = 32) -> Path:
    """The tiny network after it has learned the train split's classes."""
    import keras

    network = keras.models.load_model(save_backbone(path, size))
    lower_momentum(network)
    pooled = keras.layers.GlobalAveragePooling2D()(network.output)
    answers = keras.layers.Dense(len(dataset.classes), activation="softmax")(pooled)
    whole = keras.Model(network.input, answers)
    whole.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy")
    split = photos(dataset, "train", pixel_store(paths, size))
    pixels = split.pixels[split.rows].astype("float32")
    whole.fit(pixels, dataset.labels[dataset.splits["train"]], epochs=25, verbose=0)
    network.save(path)
    return path


def save_blind(path: Path, size: int = 32) -> Path:
    """The tiny network that says the same of every photo."""
    import keras

    network = keras.models.load_model(save_backbone(path, size))
    last = network.get_layer("conv_3")
    last.set_weights([weights * 0 for weights in last.get_weights()])
    network.save(path)
    return path
