"""Whether the backbones that a file names are in the table, with its alphas, sizes and weights.

Leaves out whether files and weights are there: that is found out when they are loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tlsearch.backbones.table import BACKBONES
from tlsearch.config.document import Document, KeyPath, Mistake
from tlsearch.config.mistakes import received
from tlsearch.config.parameters import BACKBONE_PLACES, RECIPE_BACKBONE
from tlsearch.config.schema import KERASHUB, WEIGHTS, default_weights
from tlsearch.config.suggestion import nearest, suggest

MODEL_FILE = ".keras"
WEIGHTS_FILES = (".h5", MODEL_FILE)
"""What the name of a user's own weights ends in."""
_SIZE_PLACES = (("space", "image_size"), ("image_size",), ("probe", "image_size"))


def check_backbones(document: Document) -> Iterator[Mistake]:
    """A mistake for each unknown name, alpha or size the backbone has not, and odd weights."""
    for path, choice in backbones(document):
        keys = choice if isinstance(choice, dict) else {}
        name = keys.get("name") if keys else choice
        at_name = (*path, "name") if keys else path
        if isinstance(name, str):
            yield from _check_name(document, at_name, name)
            yield from _check_alpha(document, (*path, "alpha"), name, keys.get("alpha"))
            yield from _check_sizes(document, name)
            yield from _check_weights(document, (*path, "weights"), name, keys.get("weights"))


def backbones(document: Document) -> Iterator[tuple[KeyPath, Any]]:
    """Each choice of a sweep's `space.backbone`, or a recipe's `backbone`, and its path."""
    for place in BACKBONE_PLACES:
        yield from document.choices(place)


def is_own(name: str) -> bool:
    """Whether it is a user's own network, or a preset: one that is not in the table."""
    return name.endswith(MODEL_FILE) or name.startswith(KERASHUB)


def _check_name(document: Document, path: KeyPath, name: str) -> Iterator[Mistake]:
    if name in BACKBONES or is_own(name):
        return
    found = nearest(name, BACKBONES)
    guess = f"did you mean {found}? " if found else ""
    hint = (
        f"{guess}`tlsearch backbones` lists them; a file ends in .keras, a preset is kerashub:NAME"
    )
    yield Mistake(document.value_spot(path), f"unknown backbone {received(name)}", hint)


def _check_alpha(document: Document, path: KeyPath, name: str, alpha: Any) -> Iterator[Mistake]:
    if not isinstance(alpha, (int, float)) or (name not in BACKBONES and not is_own(name)):
        return
    alphas = () if is_own(name) else BACKBONES[name].alphas
    if alpha in alphas:
        return
    choices = ", ".join(f"{a:g}" for a in alphas)
    what = f"{name} has no alpha {alpha:g}" if alphas else f"{name} has no alpha at all"
    hint = f"its alphas: {choices}" if alphas else "remove the key"
    yield Mistake(document.value_spot(path), f"{what} {received(alpha)}", hint)


def _check_sizes(document: Document, name: str) -> Iterator[Mistake]:
    parameter = document.find(("space", "image_size"))
    conditional = isinstance(parameter, dict) and parameter.get("when")
    if name not in BACKBONES or conditional:
        return
    smallest = BACKBONES[name].smallest
    for path, size in (choice for place in _SIZE_PLACES for choice in document.choices(place)):
        if isinstance(size, int) and 16 <= size < smallest:
            what = f"{name} cannot see photos so small {received(size)}"
            hint = f"its smallest image_size is {smallest}"
            yield Mistake(document.value_spot(path), what, hint)


def _check_weights(document: Document, path: KeyPath, name: str, weights: Any) -> Iterator[Mistake]:
    known = name in BACKBONES or is_own(name)
    if not known or not isinstance(weights, str) or weights.endswith(WEIGHTS_FILES):
        return
    usual, in_sweep = default_weights(name), path[:-1] != RECIPE_BACKBONE
    words = (usual,) if in_sweep else (usual, "random")
    if weights in words:
        return
    what = f"weights must be {', '.join(words)}, or a .weights.h5 or .h5 file"
    hint = suggest(weights, words, kind="the known ones")
    if weights == "random":
        what = "a sweep's backbone starts from weights"
        hint = "to start from random ones write `strategy: from_scratch`"
    elif weights in WEIGHTS:
        what = f"{name} has no {weights} weights"
        hint = "leave `weights` out"
    yield Mistake(document.value_spot(path), f"{what} {received(weights)}", hint)
