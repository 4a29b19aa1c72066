"""Whether the sections of a recipe fit together: nothing that is given may be without effect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from tlsearch.config.backbone_check import is_own
from tlsearch.config.document import Document, KeyPath, Mistake, dotted
from tlsearch.config.mistakes import received
from tlsearch.config.parameters import RECIPE_BACKBONE
from tlsearch.config.pretraining import DRAWN, Method, without_effect

_PROBE: KeyPath = ("probe", "source")


def check_recipe(document: Document) -> Iterator[Mistake]:
    """A mistake for each section without effect, an unknown size, and data that cannot serve."""
    yield from _check_effects(document)
    yield from _check_size(document)
    yield from _check_output(document)
    if document.find(_PROBE) == DRAWN:
        what = f"a probe looks at labelled photos {received(DRAWN)}"
        hint = "write a folder with a folder of photos for each class, or generated:flowers"
        yield Mistake(document.value_spot(_PROBE), what, hint)


def check_photos(document: Document) -> Iterator[Mistake]:
    """A mistake where a sweep wants the pictures that only a pretraining draws."""
    path: KeyPath = ("data", "source")
    if document.find(path) == DRAWN:
        what = f"a sweep needs labelled photos {received(DRAWN)}"
        hint = "patterns are drawn for `tlsearch pretrain`; for a sweep write generated:flowers"
        yield Mistake(document.value_spot(path), what, hint)


def _check_effects(document: Document) -> Iterator[Mistake]:
    method, source = document.find(("method",)), document.find(("data", "source"))
    if method not in get_args(Method) or not isinstance(source, str):
        return
    for path, use in without_effect(method, source).items():
        if document.find(path) is not None:
            what = f"{dotted(path)} has no effect here: it is for {use}"
            yield Mistake(document.key_spot(path), what, "remove it")


def _check_size(document: Document) -> Iterator[Mistake]:
    """Of a network that is not in the table the size is unknown until it is built."""
    name = document.find((*RECIPE_BACKBONE, "name")) or document.find(RECIPE_BACKBONE)
    if isinstance(name, str) and is_own(name) and document.find(("image_size",)) is None:
        what = f"image_size is missing: no usual size is known of {name}"
        yield Mistake(document.key_spot(()), what, "add `image_size: 96`")


def _check_output(document: Document) -> Iterator[Mistake]:
    path: KeyPath = ("output", "path")
    given = document.find(path)
    if isinstance(given, str) and "://" in given:
        what = f"output.path must be a file on this machine {received(given)}"
        yield Mistake(document.value_spot(path), what, "leave it out, and copy the weights later")
