"""What each strategy trains, for how long, and how many parameters that is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tlsearch.config.configuration import Configuration
from tlsearch.config.schema import BackboneChoice, Train
from tlsearch.errors import UsageError
from tlsearch.training.fit import set_trainable, trainable_parameters
from tlsearch.training.network import Network, as_probabilities, batch_norms, build_network
from tlsearch.training.phases import phases

MOBILENET_V2 = BackboneChoice(name="MobileNetV2")
FROZEN, TUNED = "feature_extraction", "fine_tune"


def _mobilenet(classes, **values):
    configuration = Configuration(backbone=MOBILENET_V2, image_size=96, **values)
    return configuration, build_network(configuration, classes, Train(), weights=False)


@pytest.fixture(scope="module")
def five_classes():
    return _mobilenet(5)[1]


def _trainable(network, strategy, train, **values):
    configuration = Configuration(backbone=MOBILENET_V2, image_size=96, strategy=strategy, **values)
    set_trainable(network, phases(configuration, train, network)[-1])
    return trainable_parameters(network.model)


def test_counts_are_the_published_ones(five_classes):
    assert five_classes.model.count_params() == 2_264_389
    assert _trainable(five_classes, FROZEN, Train()) == 6_405


def test_the_whole_backbone_with_its_batch_norm(five_classes):
    whole = replace(five_classes, block_cut=None)
    values = {"unfreeze": 99, "learning_rate": 1e-5}
    assert _trainable(whole, TUNED, Train(batch_norm="train"), **values) == 2_230_277
    norms = sum(layer.gamma.shape[0] * 2 for layer in batch_norms(whole.model))
    assert _trainable(whole, TUNED, Train(), **values) == 2_230_277 - norms


@pytest.mark.slow
def test_counts_for_two_classes():
    _, network = _mobilenet(2)
    assert network.model.count_params() == 2_260_546
    assert _trainable(network, FROZEN, Train()) == 2_562


@pytest.mark.slow
def test_deeper_is_more_and_deepest_is_everything():
    counts = []
    for depth in (1, 3, 6, 99):
        configuration, network = _mobilenet(5, strategy=TUNED, unfreeze=depth)
        set_trainable(network, phases(configuration, Train(), network)[-1])
        counts.append(trainable_parameters(network.model))
    assert [6_405, *counts] == sorted({6_405, *counts})
    assert network.block_cut is None


@pytest.mark.parametrize("epochs", [1, 2, 5])
@pytest.mark.parametrize("head_epochs", [0, 1, 3])
@pytest.mark.parametrize("strategy", [FROZEN, TUNED, "from_scratch"])
def test_epochs_add_up_for_every_strategy(configure, strategy, epochs, head_epochs):
    configuration = configure(strategy=strategy, unfreeze=1, learning_rate=1e-4)
    train = Train(epochs=epochs, head_epochs=head_epochs)
    plan = phases(configuration, train, Network(None, 32, "pooled", "somewhere"))
    assert sum(phase.epochs for phase in plan) == epochs
    assert all(phase.epochs > 0 for phase in plan)


def test_fine_tuning_trains_the_head_first(configure):
    configuration = configure(
        strategy=TUNED, unfreeze=1, head_learning_rate=1e-2, learning_rate=1e-4
    )
    train = Train(epochs=5, head_epochs=2)
    network = build_network(configuration, 3, train)
    head, fine = phases(configuration, train, network)
    assert (head.cut, head.learning_rate, head.epochs) == (network.head_cut, 1e-2, 2)
    assert (fine.cut, fine.learning_rate, fine.epochs) == (network.block_cut, 1e-4, 3)
    set_trainable(network, head)
    frozen = trainable_parameters(network.model)
    set_trainable(network, fine)
    assert frozen == 32 * 3 + 3
    assert trainable_parameters(network.model) == frozen + 16 * 32 * 9 + 32


def test_batch_norm_stays_in_inference_mode_by_default(configure):
    configuration = configure(strategy=TUNED, unfreeze=2)
    for batch_norm, expected in (("frozen", 0), ("train", 2)):
        train = Train(batch_norm=batch_norm)
        network = build_network(configuration, 3, train)
        set_trainable(network, phases(configuration, train, network)[-1])
        norms = batch_norms(network.model)
        assert len(norms) == 3
        assert sum(norm.trainable for norm in norms) == expected


def test_from_scratch_trains_everything(configure):
    configuration = configure(strategy="from_scratch")
    network = build_network(configuration, 3, Train())
    (phase,) = phases(configuration, Train(), network)
    set_trainable(network, phase)
    norms = batch_norms(network.model)
    assert all(norm.trainable and norm.momentum <= 0.9 for norm in norms)
    untrained = sum(norm.moving_mean.shape[0] * 2 for norm in norms)
    assert trainable_parameters(network.model) == network.model.count_params() - untrained


def test_a_sigmoid_is_one_output_for_two_classes(configure, data):
    network = build_network(configure(), 2, Train(output="sigmoid"))
    photos = data.photos["test"].pixels[:4]
    one = network.model.predict_on_batch(photos)
    both = as_probabilities(network.model).predict_on_batch(photos)
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
    network = build_network(configure(**values), 3, Train())
    names = [layer.name for layer in network.model.layers]
    assert names[-len(layers) :] == layers
    kind = type(network.model.get_layer("pooled")).__name__
    assert ("Max" in kind) == (values.get("pooling") == "max")
