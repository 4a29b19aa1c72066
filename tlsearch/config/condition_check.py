"""Whether each `when` of a space names parameters that exist and values they could have.

A value that the file does not list is let through: `space.strategy=feature_extraction` on the
command line must not make a condition on `fine_tune` a mistake.
"""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Any, Literal, get_args, get_origin

from pydantic import TypeAdapter, ValidationError

from tlsearch.config.augment_check import own_policies
from tlsearch.config.backbone_check import backbones
from tlsearch.config.document import Document, KeyPath, Mistake, dotted
from tlsearch.config.location import models_in
from tlsearch.config.mistakes import received
from tlsearch.config.parameters import Choices
from tlsearch.config.schema import BackboneChoice, Space
from tlsearch.config.suggestion import suggest


def check_conditions(document: Document) -> Iterator[Mistake]:
    """A mistake for each unknown parameter or value in a `when`, and for a circle of them."""
    for name in Space.model_fields:
        path: KeyPath = ("space", name, "when")
        for other, value in _condition(document, name).items():
            if other not in Space.model_fields:
                yield _unknown(document, (*path, other))
            elif document.find((*path, other)) is not None:
                yield from _check_values(document, (*path, other), value)
    yield from _check_order(document)


def _condition(document: Document, name: str) -> dict[str, Any]:
    given = document.find(("space", name))
    if given is None:
        default = Space.model_fields[name].default
        given = default if isinstance(default, dict) else {}
    when = given.get("when") if isinstance(given, dict) else None
    return when if isinstance(when, dict) else {}


def _unknown(document: Document, path: KeyPath) -> Mistake:
    what = f"{dotted(path[:-1])} names an unknown parameter {received(path[-1])}"
    hint = suggest(str(path[-1]), Space.model_fields, kind="the parameters")
    return Mistake(document.key_spot(path), what, hint)


def _check_values(document: Document, path: KeyPath, value: Any) -> Iterator[Mistake]:
    name = str(path[-1])
    many = isinstance(value, list)
    for number, one in enumerate(value if many else [value]):
        if isinstance(one, (dict, list)) or _can_be(document, name, one):
            continue
        spot = document.value_spot((*path, number) if many else path)
        known = _known(document, name)
        hint = suggest(str(one), known, kind="its values") if known else None
        yield Mistake(spot, f"{dotted(path)}: {name} cannot have this value {received(one)}", hint)


def _can_be(document: Document, name: str, value: Any) -> bool:
    if name == "backbone":
        return _is_backbone(value, _known(document, name))
    if name == "augment" and value in own_policies(document):
        return True
    try:
        TypeAdapter(_list_type(name)).validate_python([value], strict=True)
    except ValidationError:
        return False
    return True


def _is_backbone(value: Any, labels: list[str]) -> bool:
    """Not where a choice has this name under another label: `VGG16` for `VGG16(weights=...)`."""
    names = {label.partition("(")[0] for label in labels}
    return isinstance(value, str) and (value in labels or value.partition("(")[0] not in names)


def _known(document: Document, name: str) -> list[str]:
    if name == "backbone":
        return [label for _, choice in backbones(document) for label in _labels(choice)]
    words = list(_words(_list_type(name)))
    return words + own_policies(document) if name == "augment" else words


def _words(annotation: Any) -> Iterator[str]:
    """Those that a type allows."""
    if get_origin(annotation) is Literal:
        yield from (word for word in get_args(annotation) if isinstance(word, str))
    else:
        yield from (word for inner in get_args(annotation) for word in _words(inner))


def _labels(choice: Any) -> list[str]:
    keys = {"name": choice} if isinstance(choice, str) else choice
    try:
        return [BackboneChoice.model_validate(keys).label]
    except ValidationError:
        return []


def _list_type(name: str) -> Any:
    """The type of the parameter's `choices`."""
    models = models_in(Space.model_fields[name].annotation)
    choices = next(model for model in models if issubclass(model, Choices))
    return choices.model_fields["choices"].annotation


def _check_order(document: Document) -> Iterator[Mistake]:
    needs = {name: _condition(document, name).keys() for name in Space.model_fields}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        circle = error.args[1]
        what = f"conditions in a circle: {' needs '.join(reversed(circle))}"
        spots = [document.key_spot(("space", name, "when")) for name in circle]
        yield Mistake(max(spots), what, "remove one `when`: some parameter has to come first")
