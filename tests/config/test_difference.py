from __future__ import annotations

from tlsearch.config.difference import differences


def test_the_same_has_no_differences():
    sweep = {"space": {"image_size": {"choices": [160]}}, "name": "a"}
    assert differences(sweep, {**sweep}) == []


def test_lines_name_the_whole_key():
    old = {"space": {"image_size": {"choices": [160]}, "pooling": "avg"}, "name": "a"}
    new = {"space": {"image_size": {"choices": [160, 224]}, "dropout": 0.2}, "name": "b"}
    assert differences(old, new) == [
        "space.image_size.choices: [160] -> [160, 224]",
        "space.dropout: (absent) -> 0.2",
        "space.pooling: avg -> (absent)",
        "name: a -> b",
    ]


def test_null_absent_and_false_differ():
    assert differences({"a": None}, {"a": False}) == ["a: null -> false"]
    assert differences({}, {"a": None}) == ["a: (absent) -> null"]
    assert differences({"a": True}, {"a": 1}) == ["a: true -> 1"]
    assert differences({"a": 1}, {"a": 1.0}) == []


def test_a_value_in_the_place_of_a_mapping():
    assert differences({"a": {"b": 1}}, {"a": 2}) == ['a: {"b": 1} -> 2']
