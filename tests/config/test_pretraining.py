"""Recipes, good and bad: what they say when they load, and where."""

from __future__ import annotations

import copy
import json
import pickle
from functools import reduce
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tlsearch.config.loading import dump, load, load_recipe
from tlsearch.errors import SweepFileError

ROOT = Path(__file__).parents[2]
BUILTIN = ROOT / "tlsearch/backbones/builtin/resnet10.yaml"
RECIPES = [BUILTIN, *sorted((ROOT / "sweeps/pretraining").glob("*.yaml"))]
DRAWN = """\
version: 1
name: drawn
backbone: {name: ResNet10, weights: random}
method: supervised
data: {source: 'generated:patterns', patterns: {patterns: 8}}
"""
PHOTOS = """\
version: 1
name: photos
backbone: ResNet10
method: simclr
simclr: {temperature: 0.1}
data: {source: photos, split: {seed: 3}}
views: {blur: 0}
image_size: 64
"""


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def written(text: str) -> str:
    Path("a.yaml").write_text(text, encoding="utf-8")
    return "a.yaml"


def mistakes(text: str, *overrides: str, loading=load_recipe, **values) -> list[str]:
    with pytest.raises(SweepFileError) as caught:
        loading(written(text), overrides, **values)
    assert caught.value.exit_code == 2
    return caught.value.mistakes


def only(text: str, *overrides: str, **options) -> str:
    (mistake,) = mistakes(text, *overrides, **options)
    return mistake


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_our_own_recipes_load_and_survive_a_dump(path):
    recipe = load_recipe(path)
    assert load_recipe(written(dump(recipe))) == recipe


def test_the_recipe_of_the_built_in_weights():
    recipe = load_recipe(BUILTIN)
    assert (recipe.backbone.name, recipe.backbone.weights) == ("ResNet10", "random")
    assert recipe.is_drawn
    assert recipe.output.path == str(BUILTIN.with_name("resnet10.weights.h5"))


@pytest.mark.parametrize(
    "text",
    [
        DRAWN,
        DRAWN.replace("supervised", "simclr\nviews: {crop: 0.5}"),
        PHOTOS,
        PHOTOS.replace("simclr\nsimclr: {temperature: 0.1}", "supervised"),
        PHOTOS.replace("ResNet10", "{name: MobileNet, alpha: 0.25, weights: random}"),
        PHOTOS + "probe: {source: labelled, every: 2}\noutput: {path: a.weights.h5}\n",
    ],
    ids=["drawn", "drawn-simclr", "simclr", "supervised", "alpha", "probe"],
)
def test_recipes_survive_a_dump_and_pickle(text):
    recipe = load_recipe(written(text))
    assert pickle.loads(pickle.dumps(recipe)) == recipe
    again = load_recipe(written(dump(recipe)))
    assert again == recipe
    assert again.model_dump() == recipe.model_dump()


def test_defaults():
    recipe = load_recipe(written(PHOTOS))
    assert recipe.backbone.weights == "builtin"
    assert not recipe.is_drawn
    assert (recipe.train.batch_size, recipe.train.precision) == (128, "auto")
    assert (recipe.probe, recipe.output.path, recipe.seed) == (None, None, 0)


def test_paths_start_at_the_recipe_s_folder_and_those_of_overrides_here(tmp_path, monkeypatch):
    for name in ("recipes", "here"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    tail = "probe: {source: ../labelled}\noutput: {path: out.weights.h5}\n"
    weights = PHOTOS.replace("ResNet10", "{name: ResNet10, weights: old.weights.h5}")
    (tmp_path / "recipes/a.yaml").write_text(weights + tail)
    recipe = load_recipe("../recipes/a.yaml")
    assert recipe.data.source == str(tmp_path / "recipes/photos")
    assert recipe.probe.source == str(tmp_path / "labelled")
    assert recipe.output.path == str(tmp_path / "recipes/out.weights.h5")
    assert recipe.backbone.weights == str(tmp_path / "recipes/old.weights.h5")
    over = ("output.path=o.weights.h5", "backbone.weights=w.weights.h5", "probe.source=p")
    recipe = load_recipe("../recipes/a.yaml", over, data={"source": Path("d")})
    assert recipe.data.source == str(tmp_path / "here/d")
    assert recipe.probe.source == str(tmp_path / "here/p")
    assert recipe.output.path == str(tmp_path / "here/o.weights.h5")
    assert recipe.backbone.weights == str(tmp_path / "here/w.weights.h5")


def test_addresses_and_generated_photos_stay():
    tail = "probe: {source: 'generated:flowers'}\n"
    recipe = load_recipe(written(PHOTOS + tail), ["data.source=https://a.example/x.tgz"])
    assert recipe.data.source == "https://a.example/x.tgz"
    assert recipe.probe.source == "generated:flowers"


def test_overrides():
    recipe = load_recipe(
        written(PHOTOS), ["train.epochs=3", "backbone.weights=random"], probe={"source": "p"}
    )
    assert (recipe.train.epochs, recipe.backbone.name) == (3, "ResNet10")
    assert recipe.backbone.weights == "random"
    assert recipe.probe.every == 5


def test_the_environment_names_the_tracking_server(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://environment")
    assert load_recipe(written(DRAWN)).tracking.uri == "http://environment"


def test_every_mistake_is_reported_at_its_place_and_in_order():
    text = """\
version: 2
nmae: x
backbone: {name: ResNt10, alpha: 0.5, weights: builtin}
method: simclr
data: {source: photos, patterns: {patterns: 1, processes: all}}
train: {precision: float16, epochs: 0}
probe: {source: 'generated:patterns', image_size: 20}
output: {path: out.h5}
"""
    given = mistakes(text)
    assert [line.partition(": ")[0] for line in given] == [
        "a.yaml:1:10",
        "a.yaml:2:1",
        "a.yaml:3:18",
        "a.yaml:5:24",
        "a.yaml:5:45",
        "a.yaml:5:59",
        "a.yaml:6:20",
        "a.yaml:6:37",
        "a.yaml:7:17",
        "a.yaml:8:16",
    ]
    assert "did you mean ResNet10?" in given[2]
    assert "data.patterns has no effect here" in given[3]
    assert "a whole number or auto (received 'all')" in given[5]
    assert "did you mean float32?" in given[6]
    assert "a probe looks at labelled photos (received 'generated:patterns')" in given[8]
    assert "output.path must be a path that ends in .weights.h5" in given[9]


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        (DRAWN + "simclr: {}\n", "6:1", "simclr has no effect here: it is for `method: simclr`"),
        (DRAWN + "views: {blur: 0}\n", "6:1", "views has no effect here: it is for photos, and"),
        (DRAWN.replace("8}", "8}, split: {seed: 1}"), "5:63", "data.split has no effect"),
        (PHOTOS.replace("split", "patterns"), "6:24", "it is for `source: generated:patterns`"),
        (DRAWN.replace("random", "imagenet"), "3:37", "ResNet10 has no imagenet weights"),
        (DRAWN.replace("ResNet10", "VGG16").replace("random", "builtin"), "3:34", "VGG16 has no b"),
        (DRAWN.replace("random", "imagnet"), "3:37", "builtin, random, or a .weights.h5 or .h5"),
        (DRAWN.replace("random", "randm"), "3:37", "did you mean random?"),
        (DRAWN.replace("{name: ResNet10", "{nam: ResNet10"), "3:12", "did you mean name?"),
        (
            DRAWN.replace("{name: ResNet10, weights: random}", "[VGG16]"),
            "3:11",
            "must be a name or",
        ),
        (DRAWN + "image_size: 20\n", "6:13", "ResNet10 cannot see photos so small (received 20)"),
        (PHOTOS + "probe: {source: x, image_size: 20}\n", "9:32", "cannot see photos so small"),
        (PHOTOS + "probe: {}\n", "9:1", "add `source: path/to/photos`"),
        (PHOTOS + "output: {path: s3://a/b.weights.h5}\n", "9:16", "a file on this machine"),
        (PHOTOS.replace("method: simclr\n", ""), "1:1", "add `method: supervised (or simclr)`"),
        (PHOTOS.replace("backbone: ResNet10\n", ""), "1:1", "add `backbone: {name: ResNet10, we"),
    ],
)
def test_a_mistake(text, place, what):
    mistake = only(text)
    assert mistake.startswith(f"a.yaml:{place}: ")
    assert what in mistake


@pytest.mark.parametrize("name", ["mine.keras", "kerashub:resnet_18_imagenet"])
def test_a_network_that_is_not_in_the_table_needs_a_size(name):
    text = PHOTOS.replace("ResNet10", name)
    assert load_recipe(written(text)).image_size == 64
    assert "add `image_size: 96`" in only(text.replace("image_size: 64\n", ""))
    assert load_recipe(written(text), ["backbone.weights=random"]).backbone.weights == "random"
    assert "has no builtin weights" in only(text, "backbone.weights=builtin")


@pytest.mark.parametrize(
    ("override", "what"),
    [
        ("data.patterns.patterns=9", "data.patterns has no effect here"),
        ("output.path=weights.h5", "a path that ends in .weights.h5"),
        ("train.epoch=3", "did you mean epochs?"),
        ("backbone.alpha=0.5", "ResNet10 has no alpha at all"),
    ],
)
def test_a_wrong_override_is_named(override, what):
    mistake = only(PHOTOS, override)
    assert mistake.startswith(f"override {override}: ")
    assert what in mistake


def test_of_an_unknown_method_no_section_is_known_to_be_without_effect():
    assert "did you mean simclr?" in only(PHOTOS.replace("method: simclr", "method: SimCLR"))


def test_an_override_may_leave_a_section_without_effect():
    assert only(PHOTOS, "method=supervised").startswith("a.yaml:5:1: simclr has no effect here")


def test_a_sweep_is_told_from_a_recipe():
    text = "version: 1\nname: x\ndata: {source: photos}\nspace: {backbone: VGG16}\n"
    assert only(text) == (
        "a.yaml:4:1: this is a sweep file, not a recipe: it has the key space\n"
        "  hint: to carry it out: tlsearch run a.yaml"
    )
    assert only(DRAWN, loading=load) == (
        "a.yaml:3:1: this is a recipe, not a sweep file: it has the key backbone\n"
        "  hint: to carry it out: tlsearch pretrain a.yaml"
    )


def test_an_incomplete_or_mixed_file_is_what_it_was_given_as():
    assert "space is missing" in "".join(mistakes("name: x\nbackbone: VGG16\n", loading=load))
    mixed = "".join(mistakes(DRAWN + "space: {backbone: VGG16}\n"))
    assert "unknown key space" in mixed


def test_a_sweep_cannot_draw_patterns_nor_start_from_random_weights():
    text = "version: 1\nname: x\ndata: {source: photos}\nspace: {backbone: ResNet10}\n"
    assert load(written(text)).space.backbone.choices[0].label == "ResNet10"
    mistake = only(text.replace("photos", "'generated:patterns'"), loading=load)
    assert mistake.startswith("a.yaml:3:16: a sweep needs labelled photos")
    assert "tlsearch pretrain" in mistake
    random = "{name: ResNet10, weights: random}"
    mistake = only(text.replace("ResNet10", random), loading=load)
    assert mistake.startswith("a.yaml:4:45: a sweep's backbone starts from weights")
    assert "strategy: from_scratch" in mistake


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n"])
def test_text_that_is_no_recipe(text):
    mistake = only(text)
    assert "a recipe is a mapping of keys such as name, backbone and data" in mistake
    start = mistake.partition("start from ")[2]
    assert load_recipe(ROOT / start).backbone.name == "ResNet10"


def test_files_that_cannot_be_read():
    written(DRAWN)
    with pytest.raises(
        SweepFileError, match=r"the recipe cannot be read: No such file[^$]*a\.yaml"
    ):
        load_recipe("b.yaml")


def test_no_mangled_recipe_ends_in_another_error():
    """Every key and item of a recipe, replaced by every kind of nonsense."""
    whole = PHOTOS.replace("ResNet10", "{name: MobileNet, alpha: 0.5, weights: imagenet}")
    whole += "probe: {source: p, image_size: 32}\noutput: {path: a.weights.h5}\n"
    values = YAML(typ="safe", pure=True).load(whole)
    refused = []
    for path in paths(values):
        for odd in (None, True, -1, 0.5, "x", [], [None], {}, {"x": 1}, {"choices": {}}, [[1]]):
            mangled = copy.deepcopy(values)
            *parents, last = path
            reduce(lambda node, step: node[step], parents, mangled)[last] = odd
            refused += outcome(mangled)
    assert len(refused) > 100
    assert all(line.startswith("a.yaml:1:") for line in refused)


def outcome(values) -> list[str]:
    try:
        load_recipe(written(json.dumps(values)))
    except SweepFileError as error:
        return error.mistakes
    return []


def paths(values):
    for key, value in values.items():
        yield (key,)
        if isinstance(value, dict):
            yield from ((key, *rest) for rest in paths(value))
