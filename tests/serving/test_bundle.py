from __future__ import annotations

from pathlib import Path

import pytest

from serving import Bundle
from tlsearch.errors import BundleError
from tlsearch.export.checksums import write_checksums

FILES = ["model.onnx", "bundle.json", "golden.npz", "MODEL_CARD.md"]


def refusal(folder: Path) -> str:
    with pytest.raises(BundleError) as caught:
        Bundle.open(folder)
    assert caught.value.hint
    assert caught.value.exit_code == 3
    return str(caught.value)


def test_opens(bundle_folder):
    bundle = Bundle.open(str(bundle_folder))
    assert bundle.labels == ["red", "green", "blue"]
    assert bundle.image_size == 8
    assert bundle.model() == bundle_folder / "model.onnx"
    assert bundle.golden().probabilities.shape == (4, 3)


@pytest.mark.parametrize("name", FILES)
def test_one_flipped_bit_is_refused(bundle_folder, name):
    path = bundle_folder / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert "changed" in refusal(bundle_folder)
    assert name in refusal(bundle_folder)


def test_a_flipped_bit_in_the_checksums_is_refused(bundle_folder):
    path = bundle_folder / "SHA256SUMS"
    content = bytearray(path.read_bytes())
    content[3] ^= 1
    path.write_bytes(content)
    assert "MODEL_CARD.md" in refusal(bundle_folder)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused(bundle_folder, name):
    (bundle_folder / name).unlink()
    assert f"received: {name}" in refusal(bundle_folder)


def test_an_extra_file_is_refused(bundle_folder):
    (bundle_folder / "more").mkdir()
    (bundle_folder / "more" / "weights.bin").write_bytes(b"x")
    assert "more/weights.bin" in refusal(bundle_folder)


def test_an_empty_folder_and_no_folder_are_no_bundles(tmp_path):
    assert "is not a bundle" in refusal(tmp_path)
    assert "is not a bundle" in refusal(tmp_path / "absent")


def test_a_file_is_no_bundle(bundle_folder):
    assert "is not a bundle" in refusal(bundle_folder / "model.onnx")


def test_checksums_come_before_parsing(bundle_folder):
    (bundle_folder / "bundle.json").write_text("{")
    assert "changed" in refusal(bundle_folder)


def test_a_model_that_was_never_exported_is_refused(bundle_folder):
    (bundle_folder / "model.onnx").unlink()
    write_checksums(bundle_folder)
    assert "lacks its fp32 model" in refusal(bundle_folder)


def test_another_way_to_resize_is_refused(make_bundle, tmp_path):
    assert "resized" in refusal(make_bundle(tmp_path / "b", resize={"filter": "nearest"}))


def test_a_precision_that_is_not_there(bundle_folder):
    with pytest.raises(BundleError, match="no int8 model"):
        Bundle.open(bundle_folder).model("int8")
