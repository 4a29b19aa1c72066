"""A bundle's model as a model repository of NVIDIA Triton Inference Server.

Triton gives each label with its probability: `labels.txt` is the output's `label_filename`.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from tlsearch.errors import UsageError
from tlsearch.export.checksums import verify_checksums
from tlsearch.export.manifest import Manifest
from tlsearch.files import replace_folder

CONFIG_FILE, LABELS_FILE = "config.pbtxt", "labels.txt"
MAX_BATCH = 64
QUEUE_MICROSECONDS = 500
"""How long a photo waits for others to be run with."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def write_triton(bundle: Path, repository: Path, precision: str = "fp32") -> Path:
    """Write the model as `<name>/1/model.onnx` with its configuration; its folder.

    An older one of the name gives way; other models of the repository stay.

    Raises:
        BundleError: no whole bundle, or without a model of this precision.
        UsageError: a name that is no folder's, or a folder that holds something else.
    """
    verify_checksums(bundle)
    manifest = Manifest.read(bundle)
    folder = repository / manifest.name
    _check(folder, manifest.name)
    with replace_folder(folder) as new:
        (new / "1").mkdir()
        shutil.copyfile(bundle / manifest.variant(precision).file, new / "1" / "model.onnx")
        (new / LABELS_FILE).write_text("\n".join(manifest.labels) + "\n", encoding="utf-8")
        (new / CONFIG_FILE).write_text(describe_model(manifest), encoding="utf-8")
    return folder


def describe_model(manifest: Manifest) -> str:
    """`config.pbtxt`: a message `inference.ModelConfig` in protobuf's text format.

    The batch is not among `dims`: that is what `max_batch_size` says.
    """
    size, labels = manifest.image_size, len(manifest.labels)
    return f"""\
name: {json.dumps(manifest.name)}
platform: "onnxruntime_onnx"
max_batch_size: {MAX_BATCH}
input {{
  name: "images"
  data_type: TYPE_UINT8
  dims: [ {size}, {size}, 3 ]
}}
output {{
  name: "probabilities"
  data_type: TYPE_FP32
  dims: [ {labels} ]
  label_filename: "{LABELS_FILE}"
}}
dynamic_batching {{
  max_queue_delay_microseconds: {QUEUE_MICROSECONDS}
}}
"""


def _check(folder: Path, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(
            "Triton takes a model's name from its folder",
            received=name,
            expected="letters, digits, '.', '_' and '-'",
            hint="choose another name: export.register=NAME",
        )
    if folder.exists() and not (folder / CONFIG_FILE).is_file():
        raise UsageError(
            "a model would take the place of something else",
            received=folder,
            expected="a new folder, or an older model of a Triton repository",
            hint="name another repository: --triton DIR",
        )
