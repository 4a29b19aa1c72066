"""What is known of a sweep's jobs before its photos are."""

from __future__ import annotations

import pytest

from tlsearch.search.jobs import will_want_keras

HEADS, BLOCKS, SCRATCH = "feature_extraction", "fine_tune", "from_scratch"


@pytest.mark.parametrize(
    ("strategies", "use", "is_stored", "wanted"),
    [
        ([HEADS], "auto", True, False),
        ([HEADS], "always", True, False),
        ([HEADS], "auto", False, True),
        ([HEADS], "never", True, True),
        ([HEADS, BLOCKS], "auto", True, True),
        ([HEADS, SCRATCH], "auto", True, True),
        ([SCRATCH], "auto", True, True),
    ],
)
def test_keras_is_wanted_where_not_all_are_heads_on_what_may_be_stored(
    make_sweep, paths, strategies, use, is_stored, wanted
):
    space = {"backbone": "MobileNet", "strategy": strategies}
    if is_stored:
        paths.activations.mkdir(parents=True)
    assert will_want_keras(make_sweep(space=space, store={"use": use}), paths) is wanted
