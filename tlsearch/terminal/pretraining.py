"""`tlsearch pretrain`: what it prints while a backbone learns, and at its end."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from tlsearch.config.loading import load_recipe
from tlsearch.pretraining.run import Pretrained, pretrain
from tlsearch.terminal.jsonlines import print_notice
from tlsearch.terminal.lines import Lines
from tlsearch.terminal.words import counted, screen, shorter


def pretrain_backbone(file: Path, overrides: Sequence[str], *, new: bool, json: bool) -> None:
    """Carry out a recipe and print how to use what came of it."""
    recipe = load_recipe(file, overrides)
    command = shlex.join(["tlsearch", "pretrain", str(file), *overrides])
    notify = print_notice if json else Lines(screen(stderr=True))
    pretrained = pretrain(recipe, new=new, notify=notify, command=command)
    if not json:
        for line in describe(pretrained):
            print(line)


def describe(pretrained: Pretrained) -> list[str]:
    """What was learned, and how a sweep names it."""
    result, (first, last) = pretrained.result, pretrained.losses
    lines = [
        f"{counted(result.pictures, 'picture')} in {counted(result.epochs, 'epoch')}: "
        f"loss {first:.3f} in the first, {last:.3f} in the last"
    ]
    if result.probes:
        epochs = sorted(result.probes)
        before, after = result.probes[epochs[0]], result.probes[epochs[-1]]
        lines.append(f"linear probe: accuracy {before:.3f} before, {after:.3f} after")
    size = pretrained.weights.stat().st_size / 1e6
    spec = pretrained.recipe.backbone
    width = "" if spec.alpha is None else f", alpha: {spec.alpha:g}"
    weights = shorter(pretrained.weights)
    return [
        *lines,
        f"weights: {weights} ({size:.2f} MB)",
        "",
        "next, in a sweep's space:",
        f"  backbone: {{name: {spec.name}{width}, weights: {weights}}}",
    ]
