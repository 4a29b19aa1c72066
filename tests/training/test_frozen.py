"""However a frozen backbone is run, it computes the same."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import SIZE

from tlsearch.config.schema import BackboneChoice
from tlsearch.execution.devices import gpus
from tlsearch.training.frozen import WORTH_CONVERTING, FrozenBackbone, frozen_backbone
from tlsearch.training.head import POOLED


@pytest.fixture
def frozen(tiny_backbone):
    return frozen_backbone(tiny_backbone, SIZE, "avg", "float32")


@pytest.mark.skipif(bool(gpus()), reason="onnxruntime is for machines without a GPU")
@pytest.mark.parametrize(("start", "end"), [(None, "relu_2"), ("relu_1", POOLED)])
def test_many_photos_are_run_elsewhere_and_come_out_the_same(frozen, photos, start, end):
    batch = photos["train"].pixels[:8]
    if start:
        batch = frozen.runner(None, start, 8)(batch).astype("float16")
    few, many = (frozen.runner(start, end, count)(batch) for count in (8, WORTH_CONVERTING))
    assert few.shape == (8, *frozen.row_shape(end))
    np.testing.assert_allclose(few, many, atol=1e-5)
    assert few.dtype == many.dtype == np.float32


def test_two_steps_are_one(frozen, photos):
    batch = photos["train"].pixels[:8]
    below = frozen.between(None, "relu_1").predict_on_batch(batch)
    above = frozen.between("relu_1", "relu_3").predict_on_batch(below)
    whole = frozen.between(None, "relu_3").predict_on_batch(batch)
    np.testing.assert_allclose(above, whole, atol=1e-5)


def test_the_order_of_cuts(frozen):
    assert frozen.blocks == ("relu_1", "relu_2", "relu_3")
    assert frozen.cuts_below("relu_3") == ("relu_1", "relu_2")
    assert frozen.cuts_below(POOLED) == frozen.blocks
    assert frozen.precedes("relu_3", POOLED)
    assert not frozen.precedes("relu_2", "relu_2")
    assert [frozen.boundary(depth) for depth in range(4)] == ["relu_3", "relu_2", "relu_1", None]


def test_parameters_of_a_prefix(frozen):
    assert frozen.parameters == 6256
    first = 3 * 8 * 9 + 8 + 4 * 8
    assert frozen.parameters_below("relu_1") == first
    assert frozen.parameters_below(POOLED) == 6256


def test_a_key_and_the_blocks_of_a_known_backbone_build_nothing():
    known = FrozenBackbone(BackboneChoice(name="ResNet10"), SIZE, "avg", "float32")
    assert known.boundary(1) == known.blocks[-2]
    assert known.key(POOLED, "original").cut == "pooled:avg"
    assert not {"_backbone", "network"} & vars(known).keys()


def test_a_policy_of_the_process_changes_nothing(tiny_backbone, photos):
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        single = FrozenBackbone(BackboneChoice(name="ResNet10"), SIZE, "avg", "float32")
        assert {layer.compute_dtype for layer in single.network.layers} <= {"float32", "uint8"}
    finally:
        keras.config.set_dtype_policy(before)


def test_the_policy_is_the_backbone_s_and_nobody_else_s(tiny_backbone, photos):
    import keras

    before = keras.config.dtype_policy().name
    half = FrozenBackbone(BackboneChoice(name="ResNet10"), SIZE, "avg", "mixed_bfloat16")
    answers = half.runner(None, POOLED, 4)(photos["train"].pixels[:4])
    assert keras.config.dtype_policy().name == before
    assert answers.dtype == np.float32
    assert {layer.compute_dtype for layer in half.network.layers} >= {"bfloat16"}
