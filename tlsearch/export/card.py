"""The model card of a bundle: what it is, how good, on what, and where it ends.

The sections follow Mitchell et al., "Model Cards for Model Reporting" (2019).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tlsearch.export.contents import Contents
from tlsearch.export.manifest import Calibration, Manifest, Sureness, Variant
from tlsearch.report.evaluation import Evaluation, wilson_interval


def model_card(manifest: Manifest, contents: Contents) -> str:
    """The card in Markdown."""
    sections = {
        f"# {manifest.name}": _purpose(manifest),
        "## How good": _scores(contents),
        "## Calibration": _calibration(manifest.calibration),
        "## Precisions": _variants(manifest),
        "## Input and output": _ports(manifest),
        "## Data": _data(contents),
        "## Limits": _limits(manifest),
    }
    return "\n".join(line for title, text in sections.items() for line in (title, "", *text, ""))


def _purpose(manifest: Manifest) -> list[str]:
    return [
        f"Tells {len(manifest.labels)} classes of photos apart: {', '.join(manifest.labels)}.",
        f"{manifest.backbone} at {manifest.image_size} px, {manifest.strategy}; trial "
        f"{manifest.run.trial} of the sweep {manifest.run.sweep}.",
    ]


def _scores(contents: Contents) -> list[str]:
    judged = contents.test or contents.validation
    split = "test" if contents.test else "validation"
    return [
        *_table(["split", "photos", "accuracy", "95 % interval", "macro F1"], _splits(contents)),
        "",
        f"By class, on the {split} split (recall with its 95 % interval):",
        "",
        *_table(
            ["class", "recall", "95 % interval", "precision", "F1", "photos"], _classes(judged)
        ),
        "",
        "The intervals are Wilson's score intervals: they say how much another draw of as many "
        "photos from the same place may change a figure.",
    ]


def _splits(contents: Contents) -> Iterable[Sequence[object]]:
    splits = {"validation (used to choose)": contents.validation, "test": contents.test}
    for name, evaluation in splits.items():
        if evaluation is None:
            continue
        accuracy, macro = evaluation.accuracy, evaluation.metrics()["macro_f1"]
        span = _span(evaluation.interval)
        yield name, evaluation.photos, f"{accuracy:.4f}", span, f"{macro:.4f}"


def _classes(evaluation: Evaluation) -> Iterable[Sequence[object]]:
    right = evaluation.confusion.diagonal()
    for row in evaluation.per_class().itertuples():
        span = _span(wilson_interval(int(right[row.Index]), row.photos)) if row.photos else "-"
        figures = (f"{row.precision:.3f}", f"{row.f1:.3f}", row.photos)
        yield row[1], f"{row.recall:.3f}", span, *figures


def _calibration(calibration: Calibration | None) -> list[str]:
    if calibration is None:
        return ["None: the probabilities are as they were trained (export.calibrate: false)."]
    rows = {"validation (fitted on it)": calibration.validation, "test": calibration.test}
    bound = " (the best one lies beyond this bound)" if calibration.at_bound else ""
    return [
        f"The logits are divided by {calibration.temperature:.4f}{bound}, inside of every model. "
        "That changes no answer, only how sure it is.",
        "",
        *_table(
            ["split", "log loss before", "after", "calibration error before", "after"],
            [(name, *_sureness(row)) for name, row in rows.items() if row is not None],
        ),
    ]


def _sureness(row: Sureness) -> tuple[str, ...]:
    return (
        f"{row.log_loss_before:.4f}",
        f"{row.log_loss_after:.4f}",
        f"{row.calibration_error_before:.4f}",
        f"{row.calibration_error_after:.4f}",
    )


def _variants(manifest: Manifest) -> list[str]:
    titles = ["precision", "file", "MB", "accuracy on validation", "on test", "times as fast"]
    lines = _table(titles, [_variant(variant) for variant in manifest.variants])
    lines += [f"\n{left.precision} is left out: {left.reason}." for left in manifest.left_out]
    return lines


def _variant(variant: Variant) -> tuple[str, ...]:
    return (
        variant.precision,
        f"`{variant.file}`",
        f"{variant.size_bytes / 1e6:.1f}",
        _share(variant.accuracy_validation),
        _share(variant.accuracy_test),
        "1" if variant.speedup is None else f"{variant.speedup:.2f} ({variant.provider})",
    )


def _ports(manifest: Manifest) -> list[str]:
    return [
        f"`images`: uint8 [batch, {manifest.image_size}, {manifest.image_size}, 3] RGB, resized "
        f"as `bundle.json` says. `probabilities`: float32 [batch, {len(manifest.labels)}], in the "
        "order of the labels.",
    ]


def _data(contents: Contents) -> list[str]:
    dataset = contents.job.dataset
    counts = dataset.counts()
    read = "was read once, after the choice" if contents.test else "was not read"
    return [
        f"Source: {dataset.source}, digest {dataset.digest[:16]}; the test split {read}.",
        "",
        *_table(["class", *counts.columns], counts.itertuples()),
    ]


def _limits(manifest: Manifest) -> list[str]:
    known = (
        "The temperature was fitted on photos like those of training; on others the model may be "
        "surer than it should be."
        if manifest.calibration
        else "Probabilities are not calibrated."
    )
    return [
        "It answers with one of its classes whatever it is shown, and its figures hold for photos "
        f"like those it was trained on. {known} Validation chose this trial among others, so its "
        "figures there are a little too good.",
    ]


def _table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    lines = [titles, ["---"] * len(titles), *rows]
    return [f"| {' | '.join(str(cell) for cell in line)} |" for line in lines]


def _span(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.4f} to {interval[1]:.4f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
