"""Plain values that remember where each key and value was written, and what is wrong with them.

Leaves out how they are read (`yaml`) and what they mean (`schema`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

KeyPath = tuple[str | int, ...]

_FILE, _ENVIRONMENT, _OVERRIDE = 0, 1, 2


@dataclass(frozen=True, order=True)
class Spot:
    """Where something was written: `flowers.yaml:3:5`, or `override budget.trials=3`."""

    rank: int
    line: int
    column: int
    origin: str

    @classmethod
    def in_file(cls, origin: str, line: int = 1, column: int = 1) -> Spot:
        """A place in a file; line and column count from 1."""
        return cls(_FILE, line, column, origin)

    @classmethod
    def in_environment(cls, variable: str) -> Spot:
        return cls(_ENVIRONMENT, 0, 0, f"environment {variable}")

    @classmethod
    def in_override(cls, number: int, text: str) -> Spot:
        """The override that was given as the `number`th."""
        return cls(_OVERRIDE, number, 0, text)

    @property
    def is_override(self) -> bool:
        return self.rank == _OVERRIDE

    @property
    def is_file(self) -> bool:
        return self.rank == _FILE

    def __str__(self) -> str:
        return f"{self.origin}:{self.line}:{self.column}" if self.is_file else self.origin


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong, and what to do about it."""

    spot: Spot
    what: str
    hint: str | None = None

    def __str__(self) -> str:
        hint = f"\n  hint: {self.hint}" if self.hint else ""
        return f"{self.spot}: {self.what}{hint}"


@dataclass
class Document:
    """Plain values, the spot of every key and value by its path, and the mistakes so far."""

    start: Spot
    value: Any = None
    keys: dict[KeyPath, Spot] = field(default_factory=dict)
    values: dict[KeyPath, Spot] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def value_spot(self, path: KeyPath) -> Spot:
        """Where the value at `path` was written, or else the nearest that holds it."""
        return self._nearest(self.values, path)

    def key_spot(self, path: KeyPath) -> Spot:
        """Where the key at `path` was written, or else the nearest value that holds it."""
        return self.keys.get(path) or self._nearest(self.values, path)

    def _nearest(self, spots: Mapping[KeyPath, Spot], path: KeyPath) -> Spot:
        ends = range(len(path), -1, -1)
        return next((spots[path[:end]] for end in ends if path[:end] in spots), self.start)

    def blame(self, spot: Spot, what: str, hint: str | None = None) -> None:
        self.mistakes.append(Mistake(spot, what, hint))

    def find(self, path: KeyPath) -> Any:
        """The value at `path`, or None where there is none."""
        node = self.value
        for step in path:
            try:
                node = node[step]
            except (KeyError, IndexError, TypeError):
                return None
        return node

    def choices(self, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
        """Each choice of the parameter at `path`, in whichever form, and its own path."""
        given = self.find(path)
        if isinstance(given, dict) and "choices" in given:
            path, given = (*path, "choices"), given["choices"]
        if isinstance(given, list):
            yield from (((*path, number), choice) for number, choice in enumerate(given))
        elif given is not None:
            yield path, given

    def replace(self, path: KeyPath, value: Any, spot: Spot) -> None:
        """Put `value` at `path`, from now on written at `spot`; what stood there is forgotten."""
        for spots in (self.keys, self.values):
            for inner in [other for other in spots if other[: len(path)] == path]:
                del spots[inner]
        self.keys[path] = self.values[path] = spot
        *parents, last = path
        node = self.value
        for step in parents:
            node = node[step]
        node[last] = value


def dotted(path: KeyPath) -> str:
    """`space.backbone.choices[0]`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")
