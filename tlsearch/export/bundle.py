"""Writing a bundle: all of its files into a temporary folder, which then takes its name."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tlsearch.config.schema import Export
from tlsearch.errors import UsageError
from tlsearch.export.card import model_card
from tlsearch.export.contents import Contents, is_too_bad
from tlsearch.export.description import describe
from tlsearch.export.golden import write_golden
from tlsearch.export.manifest import MANIFEST_FILE, Manifest, Variant, write_checksums
from tlsearch.files import replace_folder


def write_bundle(contents: Contents, folder: Path) -> Manifest:
    """Write the bundle to `folder`, in the place of an older one.

    Raises:
        UsageError: the folder holds something else.
    """
    with _replacing(folder) as new:
        manifest = describe(contents)
        for model in contents.models:
            (new / model.file).write_bytes(model.candidate.content)
        write_golden(new, contents.golden)
        card = model_card(manifest, contents)
        (new / "MODEL_CARD.md").write_text(card, encoding="utf-8")
        manifest.write(new)
        write_checksums(new)
    return manifest


def copy_bundle(bundle: Path, folder: Path) -> None:
    """Copy a bundle to `folder`, in the place of an older one.

    Raises:
        UsageError: the folder holds something else.
    """
    with _replacing(folder) as new:
        shutil.copytree(bundle, new, dirs_exist_ok=True)


def is_as_asked(manifest: Manifest, export: Export) -> bool:
    """Whether a bundle was made as `export` says: calibrated or not, in these precisions.

    What was left out under another limit may be kept under this one, and the other way round.
    """
    kept = [variant for variant in manifest.variants if _is_exact_enough(variant, export)]
    tried: set[str] = {variant.precision for variant in kept}
    if manifest.max_accuracy_loss == export.max_accuracy_loss:
        tried |= {left.precision for left in manifest.left_out}
    is_calibrated = manifest.calibration is not None
    return {"fp32", *export.variants} <= tried and is_calibrated == export.calibrate


def _is_exact_enough(variant: Variant, export: Export) -> bool:
    if variant.accuracy_loss is None:  # it is fp32, which is held against Keras
        return variant.max_difference <= export.tolerance
    return not is_too_bad(variant.accuracy_loss, export.max_accuracy_loss)


def check_place(folder: Path) -> None:
    """Refuse a place where something other than a bundle would be lost.

    Raises:
        UsageError: it is a file, or a folder that holds something else.
    """
    empty = folder.is_dir() and not any(folder.iterdir())
    if folder.exists() and not empty and not (folder / MANIFEST_FILE).is_file():
        raise UsageError(
            "a bundle would take the place of something else",
            received=folder,
            expected="a new folder, an empty one, or an older bundle",
            hint="name another folder: --output DIR",
        )


@contextmanager
def _replacing(folder: Path) -> Iterator[Path]:
    check_place(folder)
    with replace_folder(folder) as new:
        yield new
