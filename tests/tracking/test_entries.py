"""Values in the form that MLflow takes."""

from __future__ import annotations

import json

from tlsearch.tracking import entries
from tlsearch.tracking.tracker import DatasetSummary


def test_nested_parameters_become_dotted():
    nested = {"train": {"epochs": 3, "early_stopping": None}, "space": {"augment": ["a", "b"]}}
    assert entries.flatten(nested) == {
        "train.epochs": "3",
        "train.early_stopping": "none",
        "space.augment": "['a', 'b']",
    }


def test_a_long_value_says_that_it_was_cut():
    value = entries.cut("x" * 7000)
    assert len(value) == entries.LONGEST_PARAMETER
    assert value.endswith("... (cut: 7000 characters)")
    assert entries.cut("y" * 6000) == "y" * 6000


def test_batches_hold_everything_once():
    values = {str(n): "v" for n in range(250)}
    batches = list(entries.in_batches(values))
    assert [len(batch) for batch in batches] == [100, 100, 50]
    assert {key for batch in batches for key in batch} == set(values)


def test_the_dataset_names_splits_and_classes():
    counts = {"train": {"daisy": 5, "roses": 6}, "test": {"daisy": 1, "roses": 2}}
    made = entries.make_dataset(DatasetSummary("flowers", "ab" * 32, "https://x.org/f.tgz", counts))
    assert made.dataset.digest == "abababababab"
    assert json.loads(made.dataset.profile)["photos"] == {"train": 11, "test": 3}
    assert json.loads(made.dataset.source) == {"url": "https://x.org/f.tgz"}


def test_versions_are_of_what_is_installed():
    import numpy

    assert entries.library_versions()["version.numpy"] == numpy.__version__
