"""Pydantic's errors in plain words: what is wrong, what was received, what to write instead."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from tlsearch.config.document import Document, KeyPath, Mistake, dotted
from tlsearch.config.location import Location, locate
from tlsearch.config.parameters import AUGMENT_PLACE, BACKBONE_PLACES, RANGE_KEYS
from tlsearch.config.suggestion import nearest, suggest

_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "string_too_short": "text that is not empty",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "too_short": "a list with at least one entry",
    "greater_than": "above {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "below {lt:g}",
    "less_than_equal": "at most {le:g}",
}
_PATTERNS = {
    "name": "1 to 64 letters, digits, dots, underscores and hyphens, a letter or digit first",
    "data.sha256": "64 hexadecimal digits, in lower case",
    "output.path": "a path that ends in .weights.h5",
    "space.augment.name": "1 to 40 letters, digits, dots, underscores and hyphens, a letter first",
}
_EXAMPLES = {
    "version": "version: 1",
    "name": "name: flowers",
    "data": "data: {source: path/to/photos}",
    "data.source": "source: path/to/photos",
    "space": "space: {backbone: MobileNetV2}",
    "space.backbone": "backbone: MobileNetV2",
    "backbone": "backbone: {name: ResNet10, weights: random}",
    "backbone.name": "name: ResNet10",
    "space.backbone.name": "name: MobileNetV2",
    "space.augment.name": "name: mine",
    "method": "method: supervised (or simclr)",
    "probe.source": "source: path/to/photos",
}
_PARAMETER_EXAMPLES = {
    "type": "type: int (or float)",
    "low": "low: 1",
    "high": "high: 4",
    "choices": "choices: [...]",
}


@dataclass(frozen=True)
class _Problem:
    """One of pydantic's errors, and where in the file it is."""

    kind: str
    location: Location
    received: Any
    context: dict[str, Any]

    @property
    def path(self) -> KeyPath:
        return self.location.path


def explain(error: ValidationError, document: Document, model: type[BaseModel]) -> list[Mistake]:
    """One mistake for each thing that is wrong, however many errors pydantic has for it."""
    problems = [_problem(e, document.value, model) for e in error.errors(include_url=False)]
    unknown = _without_ranges([p for p in problems if p.kind == "extra_forbidden"])
    missing = [p for p in problems if p.kind == "missing"]
    others = [p for p in problems if p.kind not in ("missing", "extra_forbidden")]
    return [
        *_misplaced_ranges(problems, document),
        *(_unknown_key(p, document) for p in unknown),
        *(_missing_key(p, document) for p in missing if not _is_explained(p, problems)),
        *(_wrong_value(group, document) for group in _by_path(others)),
    ]


def _problem(error: Any, value: Any, model: type[BaseModel]) -> _Problem:
    absent = error["type"] in ("missing", "extra_forbidden")
    location = locate(error["loc"], value, model, absent=absent)
    return _Problem(error["type"], location, error["input"], error.get("ctx") or {})


def _is_range_key(problem: _Problem) -> bool:
    """A range's key in a parameter that has no ranges, or already has choices."""
    return (
        problem.kind == "extra_forbidden"
        and "choices" in problem.location.allowed
        and problem.path[-1] in RANGE_KEYS
    )


def _without_ranges(problems: list[_Problem]) -> list[_Problem]:
    return [problem for problem in problems if not _is_range_key(problem)]


def _misplaced_ranges(problems: list[_Problem], document: Document) -> Iterable[Mistake]:
    for path in dict.fromkeys(p.path[:-1] for p in problems if _is_range_key(p)):
        given = document.find(path)
        both = isinstance(given, dict) and "choices" in given
        what = "has both choices and a range" if both else "takes choices, not a range"
        hint = "keep one of them" if both else "write {choices: [..., ...]}"
        yield Mistake(document.key_spot(path), f"{dotted(path)} {what} {received(given)}", hint)


def _is_explained(missing: _Problem, problems: list[_Problem]) -> bool:
    """A key that is missing because it was misspelt, or because a range stands in its place."""
    siblings = [
        p for p in problems if p.kind == "extra_forbidden" and p.path[:-1] == missing.path[:-1]
    ]
    misspelt = any(
        nearest(str(p.path[-1]), p.location.allowed) == missing.path[-1] for p in siblings
    )
    return misspelt or any(_is_range_key(p) for p in siblings)


def _unknown_key(problem: _Problem, document: Document) -> Mistake:
    *_, key = problem.path
    what = f"unknown key {dotted(problem.path)} {received(problem.received)}"
    hint = suggest(str(key), problem.location.allowed, kind="the keys here")
    return Mistake(document.key_spot(problem.path), what, hint)


def _missing_key(problem: _Problem, document: Document) -> Mistake:
    name = dotted(problem.path)
    key = str(problem.path[-1])
    example = _EXAMPLES.get(_place(problem.path)) or _PARAMETER_EXAMPLES.get(key) or f"{key}: ..."
    hint = f"add `{example}`"
    return Mistake(document.key_spot(problem.path[:-1]), f"{name} is missing", hint)


def _place(path: KeyPath) -> str:
    """The path whichever form a parameter is in: `space.augment.name` for each of the choices."""
    return dotted(tuple(step for step in path if isinstance(step, str) and step != "choices"))


def _by_path(problems: list[_Problem]) -> list[list[_Problem]]:
    groups: dict[KeyPath, list[_Problem]] = {}
    for problem in problems:
        groups.setdefault(problem.path, []).append(problem)
    return list(groups.values())


def _wrong_value(group: list[_Problem], document: Document) -> Mistake:
    """Several errors at one place are the members of a union that all refused the value."""
    first, name = group[0], dotted(group[0].path) or "the file"
    if first.kind == "value_error":
        what = f"{name}: {first.context['error']}"
        return Mistake(document.key_spot(first.path), what)
    given = document.find(first.path)
    expected = " or ".join(dict.fromkeys(_expected(problem) for problem in group))
    what = f"{name} must be {expected} {received(given)}"
    return Mistake(document.value_spot(first.path), what, _hint(group, given))


def _expected(problem: _Problem) -> str:
    if problem.kind in _EXPECTED:
        return _EXPECTED[problem.kind].format(**problem.context)
    if problem.kind == "literal_error":
        words = _words(problem)
        own = " or values of your own under a name" if problem.path[:2] == AUGMENT_PLACE else ""
        return f"one of {', '.join(words)}{own}" if len(words) > 1 else words[0]
    if problem.kind == "model_type":
        keys = f"a mapping with keys such as {', '.join(problem.location.allowed[:3])}"
        return f"a name or {keys}" if problem.path[:2] in BACKBONE_PLACES else keys
    if problem.kind == "string_pattern_mismatch":
        return _PATTERNS.get(_place(problem.path), f"text like {problem.context['pattern']}")
    return f"something else: {problem.kind.replace('_', ' ')}"


def _words(problem: _Problem) -> list[str]:
    text = problem.context["expected"]
    return re.findall(r"'([^']*)'", text) or [text]


def _hint(group: list[_Problem], given: Any) -> str | None:
    kinds = {problem.kind for problem in group}
    words = [word for p in group if p.kind == "literal_error" for word in _words(p)]
    if given is False and "model_type" in kinds:
        return "null turns it off"
    if given is None and "none" in words:
        return "write the word none; null is no value at all"
    if isinstance(given, str):
        return _hint_for_text(given, kinds, words)
    if kinds == {"string_type"} and not isinstance(given, (list, dict)):
        return f'put it in quotes: "{_shown(given)}"' if given is not None else None
    return None


def _hint_for_text(given: str, kinds: set[str], words: list[str]) -> str | None:
    if kinds & {"int_type", "float_type"} and re.fullmatch(r"[-+.\deE]+", given):
        return "numbers stand without quotes"
    if found := nearest(given, words):
        return f"did you mean {found}?"
    return None


def received(value: Any) -> str:
    """`(received ...)`, on one line and not too long."""
    text = _shown(value)
    return f"(received {text if len(text) <= 60 else text[:57] + '...'})"


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    return f"'{value}'" if isinstance(value, str) else json.dumps(value, default=str)
