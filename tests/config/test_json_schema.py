from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft7Validator
from ruamel.yaml import YAML

from tlsearch.backbones.table import BACKBONES
from tlsearch.config.json_schema import FILE, json_schema, text
from tlsearch.config.loading import dump, load

SWEEPS = Path(__file__).parents[2] / "sweeps"
SCHEMA = json_schema()


def errors(sweep: str) -> list[str]:
    values = YAML(typ="safe", pure=True).load(sweep)
    return [error.message for error in Draft7Validator(SCHEMA).iter_errors(values)]


def test_the_committed_schema_is_that_of_the_models():
    assert FILE.read_text() == text(), "run: python -m tlsearch.config.json_schema"


def test_it_is_draft_7():
    Draft7Validator.check_schema(SCHEMA)
    assert "$defs" not in json.dumps(SCHEMA)


def test_every_reference_leads_somewhere():
    names = {part.split('"')[0] for part in json.dumps(SCHEMA).split("#/definitions/")[1:]}
    assert names <= SCHEMA["definitions"].keys()


@pytest.mark.parametrize("path", sorted(SWEEPS.glob("*.yaml")), ids=lambda path: path.stem)
def test_our_own_sweeps_are_valid(path):
    assert errors(path.read_text()) == []
    assert errors(dump(load(path))) == []
    assert "yaml-language-server: $schema=../tlsearch/config/sweep.schema.json" in path.read_text()


PLAIN = "version: 1\nname: x\ndata: {source: y}\nspace:\n  backbone: VGG16\n"


@pytest.mark.parametrize(
    "line",
    [
        "dropout: 0.2",
        "dropout: [0.1, 0.2]",
        "dropout: {choices: [0.1]}",
        "dropout: {type: float, low: 0, high: 0.5}",
        "unfreeze: {type: int, low: 1, high: 4, when: {strategy: [fine_tune]}}",
        "image_size: null",
        "image_size: [null, 96]",
        "augment: none",
    ],
)
def test_shorthands_are_valid(line):
    assert errors(f"{PLAIN}  {line}\n") == []


@pytest.mark.parametrize(
    "line",
    [
        "dropot: 0.2",
        "dropout: 1.0",
        "dropout: []",
        "dropout: {type: int, low: 0, high: 1}",
        "unfreeze: 0",
        "unfreeze: {type: int, low: 0, high: 3}",
        "image_size: {type: int, low: 96, high: 128}",
        "augment: lots",
        "augment: null",
    ],
)
def test_mistakes_are_not(line):
    assert errors(f"{PLAIN}  {line}\n")


def test_backbones_are_completed_and_checked():
    assert SCHEMA["definitions"]["BackboneName"]["anyOf"][0]["enum"] == sorted(BACKBONES)
    for good in ("VGG16", "mine.keras", "kerashub:x", "{name: VGG16, weights: w.h5}", "[VGG16]"):
        assert errors(PLAIN.replace("VGG16", good)) == []
    for bad in ("VGG17", "{name: VGG17}", "{alpha: 1}", "[VGG16, VGG17]", "3"):
        assert errors(PLAIN.replace("VGG16", bad))
