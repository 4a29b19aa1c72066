"""A bundle takes its place whole, and takes nothing else's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from test_bundle_manifest import MANIFEST

from tlsearch.config.schema import Export
from tlsearch.errors import NoResultError, UsageError
from tlsearch.export.bundle import check_place, copy_bundle, is_as_asked
from tlsearch.export.manifest import Calibration, LeftOut, Sureness, Variant
from tlsearch.export.parity import compare, hold

ANSWERS = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]], "float32")


def _bundle(folder, text="{}"):
    folder.mkdir(parents=True)
    (folder / "bundle.json").write_text(text)
    (folder / "model.onnx").write_bytes(b"model")
    return folder


def _tree(folder):
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*")}


def test_a_copy_is_whole(tmp_path):
    bundle = _bundle(tmp_path / "bundle")
    copy_bundle(bundle, tmp_path / "deep" / "er" / "copy")
    assert _tree(tmp_path / "deep" / "er") == {"copy", "copy/bundle.json", "copy/model.onnx"}


def test_an_older_bundle_gives_way_whole(tmp_path):
    old = _bundle(tmp_path / "old", "old")
    (old / "model.int8.onnx").write_bytes(b"more")
    copy_bundle(_bundle(tmp_path / "new", "new"), old)
    assert (old / "bundle.json").read_text() == "new"
    assert _tree(tmp_path) == _tree(tmp_path) - {"old/model.int8.onnx"}


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_something_else_is_left_alone(tmp_path, kind):
    place = tmp_path / "letters"
    if kind == "folder":
        place.mkdir()
    precious = place / "dear.txt" if kind == "folder" else place
    precious.write_text("precious")
    with pytest.raises(UsageError, match="take the place of something else") as caught:
        copy_bundle(_bundle(tmp_path / "bundle"), place)
    assert "--output" in caught.value.hint
    assert precious.read_text() == "precious"


def test_a_new_and_an_empty_folder_are_free(tmp_path):
    check_place(tmp_path / "new")
    (tmp_path / "empty").mkdir()
    check_place(tmp_path / "empty")


def test_an_error_leaves_the_old_bundle(tmp_path):
    old = _bundle(tmp_path / "old", "old")
    with pytest.raises(OSError, match="nowhere"):
        copy_bundle(tmp_path / "nowhere", old)
    assert (old / "bundle.json").read_text() == "old"
    assert _tree(tmp_path) == {"old", "old/bundle.json", "old/model.onnx"}


def _made(**facts):
    sureness = Sureness(
        log_loss_before=1,
        log_loss_after=1,
        calibration_error_before=0,
        calibration_error_after=0,
    )
    calibration = Calibration(temperature=1.2, at_bound=False, validation=sureness)
    left_out = [LeftOut(precision="fp16", reason="slow")]
    usual = {"calibration": calibration, "left_out": left_out, "max_accuracy_loss": 0.005}
    return MANIFEST.model_copy(update={**usual, **facts})


def test_a_bundle_is_as_asked_if_all_was_tried():
    made = _made()
    assert is_as_asked(made, Export())
    assert is_as_asked(made, Export(variants=["fp16", "fp32"]))
    assert not is_as_asked(made, Export(variants=["fp32", "int8"]))
    assert not is_as_asked(made, Export(variants=["fp16"], max_accuracy_loss=0.02))
    assert not is_as_asked(made, Export(calibrate=False))
    assert not is_as_asked(MANIFEST, Export())


def test_a_bundle_is_not_as_asked_where_more_is_asked_of_what_it_holds():
    [fp32] = MANIFEST.variants
    int8 = Variant(
        file="int8", precision="int8", size_bytes=9, max_difference=0.1, accuracy_loss=0.01
    )
    made = _made(variants=[fp32, int8], max_accuracy_loss=0.02)
    wanted = {"variants": ["fp32", "int8"]}
    assert is_as_asked(made, Export(**wanted, max_accuracy_loss=0.02))
    assert is_as_asked(made, Export(**wanted, max_accuracy_loss=0.01 - 1e-12))
    assert not is_as_asked(made, Export(**wanted, max_accuracy_loss=0.001))
    assert is_as_asked(made, Export(max_accuracy_loss=0.001))
    assert is_as_asked(made, Export(tolerance=fp32.max_difference))
    assert not is_as_asked(made, Export(tolerance=fp32.max_difference / 2))
    assert not is_as_asked(made, Export(variants=["int8"], tolerance=1e-9, max_accuracy_loss=0.02))


KILLED = """
import os, shutil, signal, sys
from pathlib import Path
from tlsearch.export import bundle

def copy(source, target, dirs_exist_ok):
    Path(target, "bundle.json").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)

shutil.copytree = copy
bundle.copy_bundle(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def test_a_killed_export_leaves_the_old_bundle(tmp_path):
    old, new = _bundle(tmp_path / "old", "old"), _bundle(tmp_path / "new", "new")
    done = subprocess.run([sys.executable, "-c", KILLED, new, old], env=os.environ)
    assert done.returncode == -signal.SIGKILL
    assert (old / "bundle.json").read_text() == "old"
    copy_bundle(new, old)
    assert (old / "bundle.json").read_text() == "new"


def test_equal_answers_hold():
    parity = hold(ANSWERS, ANSWERS + 1e-5, 1e-3)
    assert parity.photos == 2
    assert parity.max_difference == pytest.approx(1e-5, rel=0.1)
    assert parity.top1_agreement == 1.0
    assert parity.as_dict()["top1_agreement"] == 1.0


@pytest.mark.parametrize(
    "received",
    [ANSWERS + np.float32(0.01), ANSWERS[:, ::-1], ANSWERS * np.nan],
    ids=["difference", "other answers", "nan"],
)
def test_other_answers_are_refused(received):
    with pytest.raises(NoResultError, match="does not answer as the Keras model") as caught:
        hold(ANSWERS, received.astype("float32"), 1e-3)
    assert "export.tolerance" in caught.value.expected


def test_where_keras_is_undecided_either_class_may_come_first():
    undecided = np.array([[0.4999, 0.5001]], "float32")
    received = np.array([[0.5001, 0.4999]], "float32")
    assert compare(undecided, received).top1_agreement == 0.0
    assert hold(undecided, received, 1e-3).max_difference < 1e-3


def test_a_wide_tolerance_lets_no_clear_answer_flip():
    with pytest.raises(NoResultError, match="1 other answers"):
        hold(np.array([[0.7, 0.3]]), np.array([[0.45, 0.55]]), 0.0999 + 0.1)
