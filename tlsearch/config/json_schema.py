"""The JSON Schemas (draft-07) of sweep files and recipes, so that editors complete and check them.

`python -m tlsearch.config.json_schema` writes them to the `.schema.json` files beside this one.
Leaves out what draft-07 cannot say, such as that `low` is below `high`: `load` checks that.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from tlsearch.backbones.table import BACKBONES
from tlsearch.config.backbone_check import MODEL_FILE
from tlsearch.config.pretraining import Pretraining
from tlsearch.config.schema import KERASHUB, WEIGHTS, Sweep

FILES: dict[type[BaseModel], Path] = {
    Sweep: Path(__file__).with_name("sweep.schema.json"),
    Pretraining: Path(__file__).with_name("recipe.schema.json"),
}
_TITLES = {Sweep: "tlsearch sweep file", Pretraining: "tlsearch recipe"}

Node = dict[str, Any]
_POINTER = "#/$defs/"
# The names pydantic makes up for generic models; they are written out where they are used.
_GENERIC = ("Choices_", "IntRange_", "FloatRange_")


def json_schema(model: type[BaseModel]) -> Node:
    """The schema, made from the model; it allows every shorthand that loading allows."""
    raw = model.model_json_schema(by_alias=True)
    definitions = raw.pop("$defs")
    named = {name: node for name, node in definitions.items() if not name.startswith(_GENERIC)}
    named["BackboneChoice"]["properties"]["name"] = {"$ref": f"{_POINTER}BackboneName"}
    named["BackboneChoice"]["properties"]["weights"] |= _weights(model)
    named["BackboneName"] = _backbone_name()
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": _TITLES[model],
        **_expand(raw, definitions),
        "definitions": {name: _expand(node, definitions) for name, node in named.items()},
    }


def write() -> list[Path]:
    """Write both files anew and return their paths."""
    for model, file in FILES.items():
        file.write_text(text(model), encoding="utf-8")
    return list(FILES.values())


def text(model: type[BaseModel]) -> str:
    """The schema as it lies in its file."""
    return json.dumps(json_schema(model), indent=2) + "\n"


def _expand(node: Any, definitions: Node) -> Any:
    """The node in draft-07: no generated names or titles, and nothing beside a `$ref`."""
    if isinstance(node, list):
        return [_expand(inner, definitions) for inner in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _expand_reference(node, definitions)
    kept = {key: value for key, value in node.items() if not _is_title(key, value)}
    if "oneOf" in kept:
        # Two of the alternatives may fit one value, as 1 fits both a choice and a list's item.
        kept["anyOf"] = kept.pop("oneOf")
    return {
        key: value if key == "default" else _expand(value, definitions)
        for key, value in kept.items()
    }


def _is_title(key: str, value: Any) -> bool:
    return key == "title" and isinstance(value, str)


def _expand_reference(node: Node, definitions: Node) -> Node:
    name = node["$ref"].removeprefix(_POINTER)
    beside = {key: value for key, value in node.items() if key != "$ref"}
    if name.startswith("Choices_"):
        return beside | _choices(definitions[name], definitions)
    if name.startswith(_GENERIC):
        return beside | _expand(definitions[name], definitions)
    reference = {"$ref": f"#/definitions/{name}"}
    if name == "BackboneChoice":
        return beside | {"anyOf": [{"$ref": "#/definitions/BackboneName"}, reference]}
    # Draft-07 ignores what stands beside a reference.
    return beside | {"allOf": [reference]} if beside else reference


def _choices(node: Node, definitions: Node) -> Node:
    """A value, a list of values, or the long form."""
    long = _expand(node, definitions)
    choices = long["properties"]["choices"]
    return {"anyOf": [choices["items"], choices, long]}


def _backbone_name() -> Node:
    own = rf"(^{KERASHUB}|\{MODEL_FILE}$)"
    return {"anyOf": [{"enum": sorted(BACKBONES)}, {"type": "string", "pattern": own}]}


def _weights(model: type[BaseModel]) -> Node:
    """Of the words `random` is for recipes alone."""
    words = [word for word in WEIGHTS if model is Pretraining or word != "random"]
    return {"anyOf": [{"enum": words}, {"pattern": rf"\.(h5|{MODEL_FILE[1:]})$"}]}


if __name__ == "__main__":
    print(*write(), sep="\n")
