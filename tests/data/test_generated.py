"""Drawn flowers: the same for the same seed, and not told apart by their colours."""

from __future__ import annotations

import numpy as np
import pytest

from tlsearch.config.schema import Generated
from tlsearch.data.flowers import KINDS, draw
from tlsearch.data.generated import GeneratedSource
from tlsearch.paths import Paths

FEW = Generated(photos_per_class=4, size=48)


def pixels(kind, seed, size=48):
    return np.asarray(draw(kind, size, seed))


@pytest.mark.parametrize("kind", KINDS)
def test_a_photo_depends_on_kind_and_seed_alone(kind):
    assert np.array_equal(pixels(kind, (7, 0)), pixels(kind, (7, 0)))
    assert not np.array_equal(pixels(kind, (7, 0)), pixels(kind, (7, 1)))
    assert not np.array_equal(pixels(kind, (7, 0)), pixels(kind, (8, 0)))
    assert pixels(kind, (-1, 0), 33).shape == (33, 33, 3)


def test_photos_are_never_flat():
    spreads = [pixels(kind, (1, number)).std() for kind in KINDS for number in range(5)]
    assert min(spreads) > 8


def test_a_folder_of_each_kind_is_drawn_once(tmp_path):
    source = GeneratedSource(FEW, Paths(tmp_path))
    photos = source.photos()
    assert [photo.label for photo in photos] == [kind for kind in sorted(KINDS) for _ in range(4)]
    before = [photo.path.stat().st_mtime_ns for photo in photos]
    assert source.photos() == photos
    assert [photo.path.stat().st_mtime_ns for photo in photos] == before


def test_the_same_seed_gives_the_same_files(tmp_path):
    def contents(options, home):
        return [p.path.read_bytes() for p in GeneratedSource(options, Paths(home)).photos()]

    first = contents(FEW, tmp_path / "1")
    assert contents(FEW, tmp_path / "2") == first
    assert len(set(first)) == 20
    other = contents(FEW.model_copy(update={"seed": 8}), tmp_path / "1")
    assert not set(other) & set(first)


def test_more_photos_begin_with_the_same_ones(tmp_path):
    more = FEW.model_copy(update={"photos_per_class": 6})
    first = {p.path.read_bytes() for p in GeneratedSource(FEW, Paths(tmp_path)).photos()}
    assert first < {p.path.read_bytes() for p in GeneratedSource(more, Paths(tmp_path)).photos()}


def test_mean_colours_do_not_tell_the_kinds_apart():
    """Nearest centroid on mean colours, on photos that the centroids were not made from."""
    means = {k: [pixels(k, (7, n)).mean(axis=(0, 1)) for n in range(40)] for k in KINDS}
    centroids = np.array([np.mean(means[kind][:20], axis=0) for kind in KINDS])
    asked = np.array([colour for kind in KINDS for colour in means[kind][20:]])
    nearest = np.linalg.norm(asked[:, None] - centroids, axis=2).argmin(axis=1)
    assert (nearest == np.repeat(np.arange(5), 20)).mean() < 0.45
