from __future__ import annotations

import numpy as np
import pytest

from tlsearch.errors import BundleError
from tlsearch.export.golden import Golden, read_golden, write_golden

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 3), dtype=np.uint8)
PROBABILITIES = np.full((3, 2), 0.5, np.float32)


def test_what_is_written_is_read(tmp_path):
    assert write_golden(tmp_path, Golden(IMAGES, PROBABILITIES)) == tmp_path / "golden.npz"
    golden = read_golden(tmp_path)
    np.testing.assert_array_equal(golden.images, IMAGES)
    np.testing.assert_array_equal(golden.probabilities, PROBABILITIES)


@pytest.mark.parametrize(
    ("images", "probabilities"),
    [
        (IMAGES.astype(np.float32), PROBABILITIES),
        (IMAGES[:, :, :3], PROBABILITIES),
        (IMAGES[0], PROBABILITIES),
        (IMAGES, PROBABILITIES.astype(np.float64)),
        (IMAGES, PROBABILITIES[:2]),
        (IMAGES[:0], PROBABILITIES[:0]),
    ],
)
def test_arrays_that_are_no_golden_samples(images, probabilities):
    with pytest.raises(BundleError, match="unfit"):
        Golden(images, probabilities)


def test_files_that_hold_none(tmp_path):
    with pytest.raises(BundleError, match="cannot be read"):
        read_golden(tmp_path)
    (tmp_path / "golden.npz").write_bytes(b"no archive")
    with pytest.raises(BundleError, match="cannot be read"):
        read_golden(tmp_path)
    np.savez(tmp_path / "golden.npz", images=IMAGES)
    with pytest.raises(BundleError, match="cannot be read"):
        read_golden(tmp_path)


def test_pickled_objects_are_not_loaded(tmp_path):
    odd = np.array([{"a": 1}], dtype=object)
    np.savez(tmp_path / "golden.npz", images=odd, probabilities=odd)
    with pytest.raises(BundleError, match="cannot be read"):
        read_golden(tmp_path)


def test_other_precisions_have_answers_of_their_own(tmp_path):
    int8 = PROBABILITIES + np.float32(0.1)
    write_golden(tmp_path, Golden(IMAGES, PROBABILITIES, {"int8": int8}))
    golden = read_golden(tmp_path)
    np.testing.assert_array_equal(golden.expected("int8"), int8)
    np.testing.assert_array_equal(golden.expected("fp32"), PROBABILITIES)
    with np.load(tmp_path / "golden.npz") as arrays:
        assert set(arrays) == {"images", "probabilities", "probabilities_int8"}


def test_samples_of_an_older_bundle_have_answers_of_fp32(tmp_path):
    np.savez(tmp_path / "golden.npz", images=IMAGES, probabilities=PROBABILITIES)
    golden = read_golden(tmp_path)
    np.testing.assert_array_equal(golden.expected("fp32"), PROBABILITIES)
    with pytest.raises(BundleError, match="without answers of the int8 model"):
        golden.expected("int8")


@pytest.mark.parametrize("answers", [PROBABILITIES[:2], PROBABILITIES.astype(np.float64)])
def test_answers_of_a_precision_that_do_not_fit(answers):
    with pytest.raises(BundleError, match="unfit probabilities_int8"):
        Golden(IMAGES, PROBABILITIES, {"int8": answers})
