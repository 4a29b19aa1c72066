"""One flipped byte in any file of a bundle as it is exported: the server refuses to start."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from exported_bundle import export_bundle
from small_network import make_network, make_photos

from serving import Bundle, Engine
from tlsearch.errors import BundleError

FILES = {
    "MODEL_CARD.md",
    "SHA256SUMS",
    "bundle.json",
    "golden.npz",
    "model.fp16.onnx",
    "model.int8.onnx",
    "model.onnx",
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "bundle"
    return export_bundle(make_network(), make_photos(64), make_photos(200, seed=1), folder)


@pytest.fixture
def bundle(exported, tmp_path):
    return Path(shutil.copytree(exported, tmp_path / "bundle"))


def flip(file: Path, place: int) -> None:
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)


def serve(folder: Path, *options: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "serving", str(folder), "--port", "0", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_these_are_the_files_that_an_export_writes(exported):
    assert {path.name for path in exported.iterdir()} == FILES
    assert all(path.stat().st_size > 100 for path in exported.iterdir())


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_it_is_whole(exported, precision):
    assert Engine(Bundle.open(exported), precision=precision).replay_golden() < 0.5


@pytest.mark.parametrize("share", [0, 0.37, 1], ids=["first", "inner", "last"])
@pytest.mark.parametrize("name", sorted(FILES))
def test_one_flipped_byte_is_refused(bundle, name, share):
    flip(bundle / name, int(share * ((bundle / name).stat().st_size - 1)))
    with pytest.raises(BundleError) as caught:
        Bundle.open(bundle)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("name", ["MODEL_CARD.md", "model.int8.onnx"])
def test_the_server_does_not_start(bundle, name):
    """Though it would serve the fp32 model, and reads no card."""
    flip(bundle / name, -2)
    done = serve(bundle)
    assert done.returncode == 3, done.stderr
    assert "ready" not in done.stdout
    assert name in done.stderr
    assert "Traceback" not in done.stderr
