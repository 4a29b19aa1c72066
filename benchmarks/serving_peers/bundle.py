"""A bundle to measure with where no other is at hand: MobileNetV2 with random weights.

    python -P bundle.py FOLDER [SIZE]

Speed does not depend on what a network has learnt. Run with `-P`: beside this folder lies a
serving.py that would hide the package of that name.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from tlsearch.data.photo import RESIZE_RULE
from tlsearch.export.checksums import write_checksums
from tlsearch.export.golden import Golden, write_golden
from tlsearch.export.manifest import MODEL_FILE, Manifest, Metrics, Run, Score, Variant

LABELS = ["daisy", "dandelion", "roses", "sunflowers", "tulips"]
_GOLDEN = 4


def main(folder: Path, size: int) -> None:
    folder.mkdir(parents=True)
    model = _model(size)
    (folder / MODEL_FILE).write_bytes(model)
    write_golden(folder, _golden(model, size))
    (folder / "MODEL_CARD.md").write_text("# A network that has learnt nothing\n")
    _manifest(size, len(model)).write(folder)
    write_checksums(folder)


def _model(size: int) -> bytes:
    import keras

    from tlsearch.backbones.build import build
    from tlsearch.backbones.convert import to_onnx
    from tlsearch.config.schema import BackboneChoice

    backbone = build(BackboneChoice(name="MobileNetV2"), size, pretrained=False)
    images = keras.Input((size, size, 3), dtype="uint8")
    features = backbone.model(backbone.preprocess(keras.ops.cast(images, "float32")))
    pooled = keras.layers.GlobalAveragePooling2D()(features)
    answer = keras.layers.Dense(len(LABELS), activation="softmax")(pooled)
    return to_onnx(keras.Model(images, answer)).SerializeToString()


def _golden(model: bytes, size: int) -> Golden:
    import onnxruntime as ort

    images = np.random.default_rng(0).integers(0, 256, (_GOLDEN, size, size, 3), dtype=np.uint8)
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    return Golden(images, session.run(None, {"images": images})[0])


def _manifest(size: int, model_bytes: int) -> Manifest:
    variant = Variant(file=MODEL_FILE, precision="fp32", size_bytes=model_bytes, max_difference=0.0)
    return Manifest(
        name="benchmark",
        labels=LABELS,
        image_size=size,
        resize=RESIZE_RULE,
        backbone="MobileNetV2",
        strategy="from_scratch",
        metrics=Metrics(validation=Score(photos=0, accuracy=0)),
        variants=[variant],
        run=Run(sweep="benchmark", trial=0, dataset="0" * 64),
        created=datetime.now(UTC),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 96)
