"""The pretrained weights of a sweep: at hand before its first trial starts.

Otherwise each trial would find out by itself that there is no network, and several workers would
fetch the same file at once.
"""

from __future__ import annotations

from pathlib import Path

from tlsearch.backbones.table import find
from tlsearch.backbones.weights import fetch, own_weights_file, published, weights_file
from tlsearch.config.schema import BackboneChoice, Space
from tlsearch.errors import WeightsError


def fetch_weights(space: Space) -> None:
    """Download what the backbones of the space lack.

    Raises:
        WeightsError: a file is absent and cannot be fetched.
    """
    if space.strategy.choices == ["from_scratch"]:
        return
    for choice in space.backbone.choices:
        for size in space.image_size.choices:
            _ensure(choice, size)


def _ensure(backbone: BackboneChoice, image_size: int | None) -> None:
    own = own_weights_file(backbone)
    if own is not None and not own.is_file():
        raise _absent(backbone, own)
    file = weights_file(backbone, image_size)
    if file is None or file.is_file():
        return
    if backbone.is_file or backbone.weights_path is not None:
        raise _absent(backbone, file)
    row = find(backbone.name)
    fetch(published(row, backbone.alpha, image_size or row.image_size))


def _absent(backbone: BackboneChoice, file: Path) -> WeightsError:
    return WeightsError(
        f"the file of the backbone {backbone.label} does not exist",
        received=file,
        expected="a .keras file, or weights in a .weights.h5 or .h5 file",
        hint="correct the path in space.backbone; it starts at the sweep file's folder",
    )
