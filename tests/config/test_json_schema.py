from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft7Validator
from ruamel.yaml import YAML

from tlsearch.backbones.table import BACKBONES
from tlsearch.config.json_schema import FILES, json_schema, text
from tlsearch.config.loading import dump, load, load_recipe
from tlsearch.config.pretraining import Pretraining
from tlsearch.config.schema import Sweep

ROOT = Path(__file__).parents[2]
SWEEPS = ROOT / "sweeps"
RECIPES = [
    ROOT / "tlsearch/backbones/builtin/resnet10.yaml",
    *sorted((SWEEPS / "pretraining").glob("*.yaml")),
]
SCHEMA = json_schema(Sweep)
RECIPE_SCHEMA = json_schema(Pretraining)


def errors(file: str, schema=SCHEMA) -> list[str]:
    values = YAML(typ="safe", pure=True).load(file)
    return [error.message for error in Draft7Validator(schema).iter_errors(values)]


@pytest.mark.parametrize("model", FILES)
def test_the_committed_schemas_are_those_of_the_models(model):
    assert FILES[model].read_text() == text(model), "run: python -m tlsearch.config.json_schema"


@pytest.mark.parametrize("schema", [SCHEMA, RECIPE_SCHEMA], ids=["sweep", "recipe"])
def test_they_are_draft_7(schema):
    Draft7Validator.check_schema(schema)
    assert "$defs" not in json.dumps(schema)


@pytest.mark.parametrize("schema", [SCHEMA, RECIPE_SCHEMA], ids=["sweep", "recipe"])
def test_every_reference_leads_somewhere(schema):
    names = {part.split('"')[0] for part in json.dumps(schema).split("#/definitions/")[1:]}
    assert names <= schema["definitions"].keys()


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
        "augment: [none, randaugment, {name: mine, rotation: 20, shear: 5}]",
        "augment: {name: mine, operations: 3}",
        "augment_strength: {type: float, low: 0.5, high: 1.5, step: 0.25}",
        "mixup: [0, 0.2]",
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
        "augment: {rotation: 20}",
        "augment: {name: mine, rotation: 200}",
        "augment: {name: mine, rotatoin: 20}",
        "augment_strength: {type: float, low: 0.5, high: 1.5, step: 0}",
        "cutmix: -1",
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


@pytest.mark.parametrize("word", ["imagenet", "builtin", "w.h5", "w.weights.h5", "w.keras"])
def test_weights_that_a_sweep_may_name(word):
    assert errors(PLAIN.replace("VGG16", f"{{name: VGG16, weights: {word}}}")) == []


@pytest.mark.parametrize("word", ["random", "imagnet", "w.npz", "3", "null"])
def test_weights_that_it_may_not(word):
    assert errors(PLAIN.replace("VGG16", f"{{name: VGG16, weights: {word}}}"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_our_own_recipes_are_valid(path):
    assert errors(path.read_text(), RECIPE_SCHEMA) == []
    assert errors(dump(load_recipe(path)), RECIPE_SCHEMA) == []
    schema = path.read_text().splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / schema).resolve() == FILES[Pretraining]


RECIPE = """\
version: 1
name: x
backbone: ResNet10
method: simclr
data: {source: photos}
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ResNet10", "{name: VGG16, weights: random}"),
        ("ResNet10", "nets/mine.keras"),
        ("method: simclr", "method: simclr\nsimclr: {temperature: 0.1}\nviews: {blur: 0}"),
        ("photos", "'generated:patterns', patterns: {processes: auto}"),
        ("photos", "'generated:patterns', patterns: {processes: 3}"),
        ("name: x", "name: x\nprobe: {source: y}\noutput: {path: a.weights.h5}\nimage_size: 64"),
    ],
)
def test_recipes_that_are_valid(old, new):
    assert errors(RECIPE.replace(old, new), RECIPE_SCHEMA) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ResNet10", "ResNet11"),
        ("ResNet10", "[ResNet10]"),
        ("ResNet10", "{name: ResNet10, weights: random, depth: 3}"),
        ("simclr", "moco"),
        ("method: simclr\n", ""),
        ("photos", "photos, patterns: {processes: all}"),
        ("name: x", "name: x\noutput: {path: a.h5}"),
        ("name: x", "name: x\nspace: {}"),
    ],
)
def test_mistakes_in_recipes_are_not(old, new):
    assert errors(RECIPE.replace(old, new), RECIPE_SCHEMA)
