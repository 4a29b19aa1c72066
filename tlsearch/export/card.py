"""The model card of a bundle: what it is, how good, on what, and where it ends.

The sections follow Mitchell et al., "Model Cards for Model Reporting" (2019).
"""

from __future__ import annotations

from tlsearch.export.manifest import Manifest
from tlsearch.report.evaluation import Evaluation


def model_card(manifest: Manifest, validation: Evaluation, test: Evaluation | None) -> str:
    """The card in Markdown."""
    judged = test or validation
    split = "test" if test else "validation"
    return "\n".join(
        [
            f"# {manifest.name}",
            "",
            f"Tells {len(manifest.labels)} classes of photos apart: {', '.join(manifest.labels)}.",
            f"{manifest.backbone} at {manifest.image_size} px, {manifest.strategy}; trial "
            f"{manifest.run.trial} of the sweep {manifest.run.sweep}.",
            "",
            "## How good",
            *_scores(validation, test),
            "",
            f"By class, on the {split} split:",
            "",
            *_classes(judged),
            "",
            "## Input and output",
            f"`images`: uint8 [batch, {manifest.image_size}, {manifest.image_size}, 3] RGB, "
            f"resized as `bundle.json` says. `probabilities`: float32 "
            f"[batch, {len(manifest.labels)}], in the order of the labels.",
            "",
            "## Data",
            f"Data set digest {manifest.run.dataset[:16]}; the test split was "
            + ("read once, after the choice." if test else "not read."),
            "",
            "## Limits",
            "It answers with one of its classes whatever it is shown, and its figures hold for "
            "photos like those it was trained on. Probabilities are not calibrated.",
            "",
        ]
    )


def _scores(validation: Evaluation, test: Evaluation | None) -> list[str]:
    lines = ["", "| split | photos | accuracy | 95 % interval | macro F1 |"]
    lines.append("|---|---|---|---|---|")
    splits = {"validation (used to choose)": validation, "test": test}
    for name, evaluation in splits.items():
        if evaluation is None:
            continue
        low, high = evaluation.interval
        macro = evaluation.metrics()["macro_f1"]
        lines.append(
            f"| {name} | {evaluation.photos} | {evaluation.accuracy:.4f} "
            f"| {low:.4f} to {high:.4f} | {macro:.4f} |"
        )
    return lines


def _classes(evaluation: Evaluation) -> list[str]:
    lines = ["| class | precision | recall | F1 | photos |", "|---|---|---|---|---|"]
    for row in evaluation.per_class().itertuples():
        cells = f"{row.precision:.3f} | {row.recall:.3f} | {row.f1:.3f} | {row.photos}"
        lines.append(f"| {row[1]} | {cells} |")
    return lines
