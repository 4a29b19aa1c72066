"""What frozen features are worth: linear probes of several backbones on the same labelled photos.

    python benchmarks/probe.py PHOTOS BACKBONE... [--seeds 0 1 2 3 4] [--json]

A BACKBONE is NAME[:WEIGHTS[:SIZE]], such as ResNet10:builtin, ResNet10:random:96,
MobileNet:imagenet:128 or ResNet10:path/to/backbone.weights.h5. For each seed the photos are split
anew (80 % to fit, the rest to judge) and `random` starts from other weights; `{seed}` in a path
becomes the seed, for weights that were learned from that split's photos. The table shows mean and
standard deviation over the seeds, and the difference to the first backbone seed by seed.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass

import numpy as np

from tlsearch.backbones.build import build
from tlsearch.backbones.table import default_image_size
from tlsearch.config.schema import BackboneChoice, PhotoData, Split
from tlsearch.data.dataset import Dataset, pixel_store, prepare
from tlsearch.paths import Paths
from tlsearch.training.photos import photos
from tlsearch.training.probe import fit_probe

BATCH = 128


@dataclass(frozen=True)
class Contender:
    """One backbone of the comparison. `{seed}` in `weights` stands for the seed."""

    text: str
    name: str
    weights: str | None
    size: int

    @classmethod
    def parse(cls, text: str) -> Contender:
        name, _, rest = text.partition(":")
        weights, _, size = rest.partition(":")
        return cls(text, name, weights or None, int(size or default_image_size(name)))

    def accuracy(self, source: str, paths: Paths, seed: int) -> float:
        """Of a probe fitted to the train split, on the photos of the two other splits."""
        data = PhotoData(source=source, split=Split(seed=seed))
        dataset = prepare(data, paths, self.size)
        features = self._features(dataset, paths, seed)
        probe = fit_probe(features["train"], dataset.labels_of("train"))
        judged = ("validation", "test")
        labels = np.concatenate([dataset.labels_of(split) for split in judged])
        return float(probe.score(np.concatenate([features[split] for split in judged]), labels))

    def _features(self, dataset: Dataset, paths: Paths, seed: int) -> dict[str, np.ndarray]:
        import keras

        from tlsearch.pretraining.network import feature_model

        keras.backend.clear_session()
        keras.utils.set_random_seed(seed)
        weights = {"weights": self.weights.format(seed=seed)} if self.weights else {}
        spec = BackboneChoice(name=self.name, **weights)
        model = feature_model(build(spec, self.size))
        pixels = pixel_store(paths, self.size)
        return {
            split: np.concatenate(
                [model.predict_on_batch(b) for b in photos(dataset, split, pixels).batches(BATCH)]
            )
            for split in dataset.splits
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos")
    parser.add_argument("backbones", nargs="+", type=Contender.parse, metavar="BACKBONE")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    paths = Paths.from_environment()
    paths.create()
    results = {
        one.text: [one.accuracy(options.photos, paths, seed) for seed in options.seeds]
        for one in options.backbones
    }
    print(json.dumps(results, indent=2) if options.json else table(results))


def table(results: dict[str, list[float]]) -> str:
    """Mean, spread and difference to the first, a line for each backbone."""
    first = np.array(next(iter(results.values())))
    lines = [f"{'backbone':44}{'accuracy':>10}{'spread':>9}{'against the first':>20}"]
    for name, values in results.items():
        gained = np.array(values) - first
        difference = f"{100 * gained.mean():+.1f} +- {100 * gained.std(ddof=1):.1f} points"
        spread = np.std(values, ddof=1)
        lines.append(f"{name:44}{np.mean(values):10.4f}{spread:9.4f}{difference:>20}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
