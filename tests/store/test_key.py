"""The key: everything in it, and nothing else, names the entry."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
from tiny_activations import key


def test_the_digest_stays_what_it_was():
    """Stored activations would be lost if it changed."""
    assert key().digest == "346426f0a7e2434441e6940dafd3572c90bd3ae7e9871c396bf557a2d1571d75"


@pytest.mark.parametrize("name", asdict(key()))
def test_every_field_counts(name):
    value = getattr(key(), name)
    other = value + 1 if isinstance(value, int) else f"{value}x"
    assert replace(key(), **{name: other}).digest != key().digest


def test_equal_keys_have_one_digest():
    assert key().digest == key().digest != key(view="light@1.0#3").digest
