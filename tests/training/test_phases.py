"""What each strategy trains, for how long, and how many parameters that is."""

from __future__ import annotations

import numpy as np
import pytest

from tlsearch.config.configuration import Configuration
from tlsearch.config.schema import BackboneChoice, Train
from tlsearch.errors import UsageError
from tlsearch.training.frozen import FrozenBackbone
from tlsearch.training.head import POOLED
from tlsearch.training.network import (
    as_probabilities,
    batch_norms,
    build_network,
    build_suffix,
    let_learn,
    trainable_parameters,
)
from tlsearch.training.phases import phases

MOBILENET_V2 = BackboneChoice(name="MobileNetV2")
FROZEN, TUNED = "feature_extraction", "fine_tune"


def _mobilenet(classes, **values):
    configuration = Configuration(backbone=MOBILENET_V2, image_size=96, **values)
    return configuration, build_network(configuration, classes, Train(), weights=False)


def _block_cut(depth):
    return FrozenBackbone(MOBILENET_V2, 96, "avg", "float32").boundary(depth)


@pytest.fixture(scope="module")
def five_classes():
    return _mobilenet(5)[1]


def _let_learn(model, phase):
    let_learn(model, phase.cut, batch_norm=phase.train_batch_norm)
    return trainable_parameters(model)


def _trainable(model, strategy, train, depth=None, **values):
    """What learns in the last phase."""
    configuration = Configuration(
        backbone=MOBILENET_V2, image_size=96, strategy=strategy, unfreeze=depth, **values
    )
    cut = _block_cut(depth) if depth else None
    return _let_learn(model, phases(configuration, train, cut)[-1])


def test_counts_are_the_published_ones(five_classes):
    assert five_classes.count_params() == 2_264_389
    assert _trainable(five_classes, FROZEN, Train()) == 6_405


def test_the_whole_backbone_with_its_batch_norm(five_classes):
    whole = {"depth": 99, "learning_rate": 1e-5}
    assert _trainable(five_classes, TUNED, Train(batch_norm="train"), **whole) == 2_230_277
    norms = sum(layer.gamma.shape[0] * 2 for layer in batch_norms(five_classes))
    assert _trainable(five_classes, TUNED, Train(), **whole) == 2_230_277 - norms


@pytest.mark.slow
def test_counts_for_two_classes():
    _, model = _mobilenet(2)
    assert model.count_params() == 2_260_546
    assert _trainable(model, FROZEN, Train()) == 2_562


def test_deeper_is_more_and_deepest_is_everything(five_classes):
    depths = (1, 3, 6, 99)
    counts = [_trainable(five_classes, TUNED, Train(), depth=depth) for depth in depths]
    assert [6_405, *counts] == sorted({6_405, *counts})
    assert _block_cut(99) is None


@pytest.mark.parametrize("epochs", [1, 2, 5])
@pytest.mark.parametrize("head_epochs", [0, 1, 3])
@pytest.mark.parametrize("strategy", [FROZEN, TUNED, "from_scratch"])
def test_epochs_add_up_for_every_strategy(configure, strategy, epochs, head_epochs):
    configuration = configure(strategy=strategy, unfreeze=1, learning_rate=1e-4)
    train = Train(epochs=epochs, head_epochs=head_epochs)
    plan = phases(configuration, train, "somewhere")
    assert sum(phase.epochs for phase in plan) == epochs
    assert all(phase.epochs > 0 for phase in plan)


def test_fine_tuning_trains_the_head_first(configure):
    configuration = configure(
        strategy=TUNED, unfreeze=1, head_learning_rate=1e-2, learning_rate=1e-4
    )
    train = Train(epochs=5, head_epochs=2)
    head, fine = phases(configuration, train, "relu_2")
    assert (head.cut, head.learning_rate, head.epochs) == (POOLED, 1e-2, 2)
    assert (fine.cut, fine.learning_rate, fine.epochs) == ("relu_2", 1e-4, 3)
    model = build_network(configuration, 3, train)
    frozen = _let_learn(model, head)
    assert frozen == 32 * 3 + 3
    assert _let_learn(model, fine) == frozen + 16 * 32 * 9 + 32


def test_batch_norm_stays_in_inference_mode_by_default(configure):
    configuration = configure(strategy=TUNED, unfreeze=2)
    model = build_network(configuration, 3, Train())
    for batch_norm, expected in (("frozen", 0), ("train", 2)):
        _let_learn(model, phases(configuration, Train(batch_norm=batch_norm), "relu_1")[-1])
        norms = batch_norms(model)
        assert len(norms) == 3
        assert sum(norm.trainable for norm in norms) == expected


def test_from_scratch_trains_everything(configure):
    configuration = configure(strategy="from_scratch")
    model = build_network(configuration, 3, Train())
    (phase,) = phases(configuration, Train(), None)
    trainable = _let_learn(model, phase)
    norms = batch_norms(model)
    assert all(norm.trainable and norm.momentum <= 0.9 for norm in norms)
    untrained = sum(norm.moving_mean.shape[0] * 2 for norm in norms)
    assert trainable == model.count_params() - untrained


def test_a_suffix_is_what_lies_above_its_cut_in_copies_of_its_own(configure):
    configuration = configure(strategy=TUNED, unfreeze=1, dropout=0.5)
    frozen = FrozenBackbone(configuration.backbone, 32, "avg", "float32")
    suffix = build_suffix(frozen, "relu_2", configuration, 3)
    named = [layer.name for layer in suffix.layers if layer.weights]
    assert named == ["conv_3", "norm_3", "classifier"]
    whole = build_network(configuration, 3, Train())
    names = {layer.name for layer in whole.layers}
    assert {"pooled", "dropout", *named} <= names & {layer.name for layer in suffix.layers}
    assert suffix.input.dtype == "float16"
    mine, theirs = (model.get_layer("conv_3") for model in (suffix, frozen.network))
    before = theirs.get_weights()[0]
    assert np.array_equal(mine.get_weights()[0], before)
    mine.kernel.assign(mine.kernel + 1)
    assert np.array_equal(theirs.get_weights()[0], before)


def test_a_sigmoid_is_one_output_for_two_classes(configure, photos):
    model = build_network(configure(), 2, Train(output="sigmoid"))
    shown = photos["test"].pixels[:4]
    one = model.predict_on_batch(shown)
    both = as_probabilities(model).predict_on_batch(shown)
    assert one.shape == (4, 1)
    assert both.shape == (4, 2)
    assert both[:, 1] == pytest.approx(one[:, 0])
    assert both.sum(axis=1) == pytest.approx([1, 1, 1, 1])


def test_a_sigmoid_for_three_classes_is_refused(configure):
    with pytest.raises(UsageError, match="sigmoid is for two classes"):
        build_network(configure(), 3, Train(output="sigmoid"))


@pytest.mark.parametrize(
    ("values", "layers"),
    [
        ({}, ["pooled", "classifier"]),
        ({"dropout": 0.5}, ["pooled", "dropout", "classifier"]),
        ({"hidden_units": 7, "dropout": 0.5}, ["pooled", "hidden", "dropout", "classifier"]),
        ({"pooling": "max"}, ["pooled", "classifier"]),
    ],
    ids=["plain", "dropout", "hidden", "max"],
)
def test_the_head_is_what_the_configuration_says(configure, values, layers):
    model = build_network(configure(**values), 3, Train())
    names = [layer.name for layer in model.layers]
    assert names[-len(layers) :] == layers
    kind = type(model.get_layer("pooled")).__name__
    assert ("Max" in kind) == (values.get("pooling") == "max")
