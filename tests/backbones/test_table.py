"""The table holds together without Keras."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tlsearch.backbones.table import BACKBONES, find, rows
from tlsearch.errors import UsageError


def test_published_figures():
    assert len(BACKBONES) == 41
    assert find("VGG16").parameters == 14_714_688
    assert find("MobileNetV2").parameters == 2_257_984
    assert find("EfficientNetB0").top1 == 77.1
    assert find("NASNetLarge").image_size == 331


@pytest.mark.parametrize("row", BACKBONES.values(), ids=BACKBONES)
def test_rows_are_plausible(row):
    assert len(set(row.blocks)) == len(row.blocks) > 0
    assert row.smallest <= row.image_size
    assert row.weights_file.endswith(".h5")


@pytest.mark.parametrize("row", BACKBONES.values(), ids=BACKBONES)
def test_weights_are_published_or_come_with_the_package(row):
    if row.name == "ResNet10":
        assert (row.weights, row.top1, row.weights_address) == ("builtin", None, None)
        assert row.factory == "tlsearch.backbones.resnet10.resnet10"
    else:
        assert row.weights == "imagenet"
        assert 60 < row.top1 < 90
        assert row.weights_address.startswith("https://")
        assert row.factory == f"keras.applications.{row.name}"


def test_cuts_that_people_ask_for():
    assert "conv_pw_9_relu" in find("MobileNet").blocks
    blocks = find("MobileNetV2").blocks
    assert [blocks.index(f"block_{b}_project_BN") for b in (16, 13, 6)] == [16, 13, 6]
    assert find("ResNet50").blocks[-4] == "conv4_block6_out"


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("mobilenetv2", "MobileNetV2"), ("EfficentNetB0", "EfficientNetB0"), ("resnet50", "ResNet50")],
)
def test_unknown_name_gets_a_suggestion(wrong, meant):
    with pytest.raises(UsageError, match=f"did you mean {meant}") as raised:
        find(wrong)
    assert "tlsearch backbones" in str(raised.value)


def test_nothing_like_it_gets_no_suggestion():
    with pytest.raises(UsageError) as raised:
        find("qqqq")
    assert "did you mean" not in str(raised.value)


def test_rows_are_json():
    table = json.loads(json.dumps(rows()))
    [row] = [row for row in table if row["name"] == "MobileNet"]
    assert row["alphas"] == [0.25, 0.5, 0.75, 1.0]
    assert row["factory"] == "keras.applications.MobileNet"


def test_importing_it_is_light():
    program = (
        "import sys, tlsearch.backbones.table, tlsearch.backbones.weights;"
        "print([m for m in ('keras', 'tensorflow', 'numpy', 'httpx') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert ran.stdout.strip() == b"[]"
