"""fp16 and int8 of a real small network: what is kept, what is left out, and why."""

from __future__ import annotations

import itertools

import numpy as np
import onnx
import pytest
from small_network import make_network, make_photos

from tlsearch.export import runtime, variants
from tlsearch.export.contents import Candidate
from tlsearch.export.entrance import find_entrance, straighten
from tlsearch.export.manifest import LeftOut
from tlsearch.export.reduced import RECIPES, to_fp16, to_int8
from tlsearch.export.runtime import CPU, answer, ask, open_session, speed_up
from tlsearch.export.samples import FLOORS, HIGHEST, tolerance_of
from tlsearch.export.variants import Kept, Original, make_variant
from tlsearch.report.evaluation import Evaluation

TRAIN, VALIDATION = make_photos(64), make_photos(200, seed=1)
NETWORK = make_network()


@pytest.fixture(scope="module")
def original():
    """The network, judged by its own answers: it is always right, and sometimes just so."""
    content = NETWORK.SerializeToString()
    answers = answer(open_session(content), VALIDATION)
    labels = answers.argmax(axis=1)
    assert len(set(labels)) == 3
    evaluation = Evaluation(answers, labels, ("a", "b", "c"))
    return Original(NETWORK, Candidate("fp32", content, evaluation), TRAIN, VALIDATION)


@pytest.fixture
def speed(monkeypatch):
    """Sets what the speed-up is measured as: a test must not hang on the machine's mood."""

    def let(value):
        monkeypatch.setattr(variants, "speed_up", lambda *_: value)

    return let


def test_what_is_as_good_and_faster_is_kept(original, speed):
    speed(1.9)
    kept = make_variant(original, "int8", 0.05)
    assert isinstance(kept, Kept), kept
    assert (kept.gain.speedup, kept.gain.provider) == (1.9, CPU)
    assert kept.candidate.validation.accuracy >= 0.95
    assert "static QDQ, per channel" in kept.candidate.recipe


def test_what_loses_too_much_is_left_out_with_its_figures(original, speed):
    speed(1.9)
    left = make_variant(original, "int8", 0.0)
    assert isinstance(left, LeftOut)
    assert left.accuracy_validation < 1
    points = f"{100 * (1 - left.accuracy_validation):.2f} points"
    assert left.reason.startswith(f"it loses {points} of accuracy on validation, more than 0 ")
    assert "export.max_accuracy_loss" in left.reason
    assert left.speedup == 1.9


def test_what_is_not_faster_is_left_out(original, speed):
    speed(0.8)
    left = make_variant(original, "fp16", 0.05)
    assert isinstance(left, LeftOut)
    assert left.reason == f"it is not faster here: 0.80 times fp32's speed on {CPU}"
    assert left.accuracy_validation >= 0.95


def test_both_reasons_are_given(original, speed):
    speed(1.01)
    left = make_variant(original, "int8", 0.0)
    assert "points of accuracy" in left.reason
    assert "not faster here: 1.01" in left.reason


def test_what_cannot_be_made_is_left_out(original):
    nothing = Original(original.model, original.candidate, make_photos(0), VALIDATION)
    left = make_variant(nothing, "int8", 0.05)
    assert left.reason.startswith("it could not be made: ValueError")
    assert left.accuracy_validation is None
    assert left.speedup is None


def test_the_best_way_is_tried_until_one_is_good_enough(original, speed, monkeypatch):
    """Broken ways come first: the third is taken, and without it the best of the others."""
    speed(2.0)
    good = RECIPES["int8"][0]

    def spoil(seed):
        def make(model, photos):
            return to_int8(make_network(seed=seed), photos)

        return type(good)(f"spoilt {seed}", make)

    monkeypatch.setitem(RECIPES, "int8", (spoil(5), spoil(6), good))
    assert make_variant(original, "int8", 0.05).candidate.recipe == good.words
    monkeypatch.setitem(RECIPES, "int8", (spoil(5), spoil(6)))
    left = make_variant(original, "int8", 0.05)
    singly = []
    for seed in (5, 6):
        monkeypatch.setitem(RECIPES, "int8", (spoil(seed),))
        singly.append(make_variant(original, "int8", 0.05).accuracy_validation)
    assert left.accuracy_validation == max(singly)


@pytest.mark.parametrize(("make", "far"), [(to_fp16, 0.05), (to_int8, 0.2)])
def test_a_smaller_model_has_the_same_ports_and_nearly_the_answers(original, make, far):
    before = NETWORK.SerializeToString()
    content = make(NETWORK, TRAIN)
    assert NETWORK.SerializeToString() == before
    session = open_session(content)
    ports = [(port.name, port.type) for port in (*session.get_inputs(), *session.get_outputs())]
    assert ports == [("images", "tensor(uint8)"), ("probabilities", "tensor(float)")]
    expected = original.candidate.validation.probabilities
    received = answer(session, VALIDATION)
    assert np.abs(received - expected).max() < far
    np.testing.assert_allclose(received.sum(axis=1), 1, atol=1e-3)


def kinds(content):
    return [node.op_type for node in onnx.load_from_string(content).graph.node]


def test_bytes_enter_an_int8_model_as_they_are():
    content = to_int8(NETWORK, TRAIN)
    assert kinds(content)[:2] == ["Transpose", "DequantizeLinear"]
    assert not {"Cast", "Mul", "Add", "Sub"} & set(kinds(content))


@pytest.mark.parametrize(
    ("scale", "offset"),
    [([0.01, 0.012, 0.011], [-1.2, -1.0, -1.1]), (1 / 127.5, -3.0), (1 / 127.5, 0.5)],
    ids=["by channel", "no byte is 0", "all above 0"],
)
def test_other_preprocessing_stays_in_float(scale, offset):
    network = make_network(scale, offset)
    assert find_entrance(network) is None
    content = to_int8(network, TRAIN)
    assert "Cast" in kinds(content)
    expected = answer(open_session(network.SerializeToString()), VALIDATION)
    assert np.abs(answer(open_session(content), VALIDATION) - expected).max() < 0.2


@pytest.mark.parametrize(("scale", "offset"), [(1 / 127.5, -1.0), (1 / 255, 0.0), (1.0, 0.0)])
def test_a_straight_entrance_changes_no_answer(scale, offset):
    network, straight = make_network(scale, offset), make_network(scale, offset)
    entrance = find_entrance(straight)
    assert entrance.scale == pytest.approx(scale, rel=1e-4)
    assert entrance.offset == pytest.approx(offset, abs=1e-4 * 255 * scale)
    assert abs(entrance.zero_point + offset / scale) <= 0.5 + 1e-3
    straighten(straight, entrance)
    onnx.checker.check_model(straight)
    expected, received = (
        answer(open_session(one.SerializeToString()), VALIDATION) for one in (network, straight)
    )
    # Half a grey level at the border, where the first convolution's padding is.
    assert np.abs(received - expected).max() < (0.02 if offset else 1e-4)


def test_the_tolerance_covers_what_machines_differ_by():
    content = to_int8(NETWORK, TRAIN)
    images = VALIDATION.take(np.arange(8))
    tolerance = tolerance_of("int8", content, images)
    assert FLOORS["int8"] <= tolerance <= HIGHEST
    written = ask(open_session(content, as_written=True), images)
    assert np.abs(ask(open_session(content), images) - written).max() < tolerance
    assert tolerance_of("fp32", NETWORK.SerializeToString(), images) == 1e-3


def test_two_models_take_turns_and_their_medians_are_compared(original, monkeypatch):
    """By a clock that says the first model takes 3 s and the second 2 s, and now and then 99."""
    content = original.candidate.content
    durations = itertools.cycle([3, 2, 3, 99, 3, 2, 3, 2])
    times = (moment for seconds in durations for moment in (0, seconds))
    monkeypatch.setattr(runtime.time, "thread_time", lambda: next(times))
    assert speed_up(content, content, VALIDATION.take(np.arange(4)), CPU) == 1.5
