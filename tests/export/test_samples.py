from __future__ import annotations

import numpy as np

from tlsearch.export.samples import SAMPLES, choose_samples


def answers(*sure):
    """Two classes, the first with these probabilities."""
    first = np.array(sure, np.float32)
    return np.stack([first, 1 - first], axis=1)


def test_the_least_certain_of_the_clear_are_chosen():
    sure = [0.99, 0.55, 0.71, 0.72, 0.999, 0.8, 0.75, 0.9, 0.85, 0.95, 0.98, 0.5]
    chosen = choose_samples([answers(*sure)])
    assert len(chosen) == SAMPLES
    assert sorted(np.array(sure)[chosen]) == [0.71, 0.72, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98]


def test_what_is_unclear_to_one_model_is_not_chosen_where_others_are_left():
    sure = answers(*[0.8] * 9)
    other = sure.copy()
    other[3] = [0.2, 0.8]
    assert choose_samples([sure, other]).tolist() == [0, 1, 2, 4, 5, 6, 7, 8]


def test_few_photos_are_all_chosen():
    assert choose_samples([answers(0.5, 0.6, 1.0)]).tolist() == [0, 1, 2]
