"""YAML 1.2 text read into a `Document`; `no`, `on` and `1e-3` mean what YAML 1.2 says."""

from __future__ import annotations

from typing import Any

from ruamel.yaml import YAML, MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from tlsearch.config.document import Document, KeyPath, Spot, dotted

_CORE = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float")}
# ruamel resolves these too, but they are no part of YAML 1.2: plain text here.
_TEXT = {f"tag:yaml.org,2002:{name}" for name in ("str", "timestamp", "value", "merge")}


def parse(text: str, start: Spot) -> Document:
    """Read YAML 1.2; what is wrong with it is in the document's `mistakes`.

    Positions count from `start`: where it is no place in a file, all spots are `start` itself.
    """
    document = Document(start)
    try:
        node = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        _blame_syntax(document, error)
    except YAMLError as error:
        document.blame(start, f"not YAML: {' '.join(str(error).split())}", "save it as plain text")
    else:
        document.value = _Reader(document).read(node, (), ()) if node else None
    return document


class _Reader:
    """Turns YAML nodes into plain values and notes their spots."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._scalars = YAML(typ="safe", pure=True).constructor

    def read(self, node: Node, path: KeyPath, inside: tuple[Node, ...]) -> Any:
        self._document.values[path] = self._spot(node, path)
        if any(node is outer for outer in inside):
            self._blame(node, "an alias that holds itself", "write the value out")
            return None
        if isinstance(node, MappingNode):
            return self._read_mapping(node, path, (*inside, node))
        if isinstance(node, SequenceNode):
            items = enumerate(node.value)
            return [self.read(item, (*path, i), (*inside, node)) for i, item in items]
        return self._read_scalar(node)

    def _read_mapping(self, node: MappingNode, path: KeyPath, inside: tuple[Node, ...]) -> Any:
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            if not isinstance(key_node, ScalarNode):
                self._blame(key_node, "a key must be a word, not a list or a mapping")
                continue
            inner = (*path, key)
            if inner in self._document.keys and key in mapping:
                self._blame_duplicate(key_node, inner)
                continue
            self._document.keys[inner] = self._spot(key_node, inner)
            mapping[key] = self.read(value_node, inner, inside)
        return mapping

    def _read_scalar(self, node: Node) -> Any:
        if node.tag in _CORE:
            return self._scalars.construct_object(node)
        if node.tag not in _TEXT:
            self._blame(node, f"the tag {node.tag} is not used here", "remove the tag")
        return node.value

    def _blame_duplicate(self, node: Node, path: KeyPath) -> None:
        first = self._document.keys[path]
        where = f"first at line {first.line}, column {first.column}" if first.is_file else "twice"
        self._blame(
            node, f"the key {dotted(path)!r} is there already ({where})", "keep one of them"
        )

    def _blame(self, node: Node, what: str, hint: str | None = None) -> None:
        self._document.blame(self._spot(node, ()), what, hint)

    def _spot(self, node: Node, path: KeyPath) -> Spot:
        start = self._document.start
        if not start.is_file:
            return start
        if node.value == "" and node.start_mark.index == node.end_mark.index:
            # A key with nothing after it: YAML puts the empty value where the next key starts.
            return self._document.keys.get(path, start)
        return Spot.in_file(start.origin, node.start_mark.line + 1, node.start_mark.column + 1)


def _blame_syntax(document: Document, error: MarkedYAMLError) -> None:
    mark, begun = error.problem_mark, error.context_mark
    spot = document.start
    if mark and spot.is_file:
        spot = Spot.in_file(spot.origin, mark.line + 1, mark.column + 1)
    context = f" {error.context}" if error.context else ""
    if context and begun and mark and begun.line != mark.line:
        context += f" that starts at line {begun.line + 1}"
    problem = error.problem or "it cannot be read"
    document.blame(spot, f"not valid YAML: {problem}{context}", _syntax_hint(problem))


def _syntax_hint(problem: str) -> str:
    if "\\t" in problem:
        return "indent with spaces, not with tabs"
    if "mapping values" in problem or "could not find expected ':'" in problem:
        return "write `key: value` with a space after the colon; indent alike what belongs together"
    if "another document" in problem:
        return "one YAML document a file: remove the line `---`"
    if "alias" in problem:
        return "put text that starts with * in quotes"
    return "close every bracket and quote, and quote text with special characters"
