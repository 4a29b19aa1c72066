"""Bad input through the real command: exit codes, and messages that say what to do next."""

from __future__ import annotations

import hashlib
import io
import json
import os
import socket
import tarfile
from dataclasses import dataclass

import pytest
from PIL import Image
from tiny_sweeps import environment, tlsearch

from tlsearch.cli import main

PLAIN = """\
version: 1
name: bad
data: {source: photos}
budget: {trials: 1}
space:
  backbone: {name: MobileNet, alpha: 0.25}
  image_size: 32
  strategy: from_scratch
train: {epochs: 1}
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Runs a command in this process, from `main` to its exit code."""

    def call_main(*arguments, **extra):
        for name, value in environment(tmp_path / "home", **extra).items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.argv", ["tlsearch", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        shown = capsys.readouterr()
        return Ended(int(ended.value.code or 0), shown.out, shown.err)

    return call_main


@pytest.fixture
def run(tmp_path, call):
    """Writes a sweep file and runs it; how it was refused."""

    def run_one(text=PLAIN, *arguments, command="run", **extra):
        (tmp_path / "sweep.yaml").write_text(text, encoding="utf-8")
        done = call(command, tmp_path / "sweep.yaml", *arguments, **extra)
        assert done.stdout == ""
        return done

    return run_one


@pytest.fixture
def photos(tmp_path):
    """Writes photos of noise: so many for each class; the folder."""

    def write(**classes):
        for label, count in classes.items():
            (tmp_path / "photos" / label).mkdir(parents=True)
            for number in range(count):
                pixels = os.urandom(40 * 40 * 3)
                photo = Image.frombytes("RGB", (40, 40), pixels)
                photo.save(tmp_path / "photos" / label / f"{number}.jpg")
        return tmp_path / "photos"

    return write


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("trials", "trails", "4:10", "did you mean trials?"),
        ("name: bad\n", "name: bad\nname: worse\n", "3:1", "name"),
        ("trials: 1", 'trials: "1"', "4:18", "a whole number"),
        ("trials: 1", "trials: 0", "4:18", "at least 1"),
        ("MobileNet", "MobilNet", "6:20", "did you mean MobileNet?"),
        ("alpha: 0.25", "alpha: 0.3", "6:38", "its alphas: 0.25, 0.5, 0.75, 1"),
        (
            "image_size: 32",
            "head_learning_rate: {type: float, low: 1e-2, high: 1e-3}",
            "7:3",
            "low must be below high",
        ),
        ("strategy: from_scratch", "strategy: finetune", "8:13", "did you mean fine_tune?"),
        ("epochs: 1", "epochs: [1", "9:", "9"),
    ],
    ids=[
        "unknown-key",
        "duplicate-key",
        "wrong-type",
        "too-small",
        "backbone",
        "alpha",
        "low-above-high",
        "strategy",
        "no-yaml",
    ],
)
def test_a_mistake_in_the_sweep_file(run, tmp_path, old, new, place, words):
    done = run(PLAIN.replace(old, new))
    assert done.returncode == 2
    assert f"sweep.yaml:{place}" in done.stderr
    assert words in done.stderr
    assert not (tmp_path / "home").exists()


def test_all_mistakes_at_once(run):
    done = run(PLAIN.replace("trials: 1", "trials: x").replace("epochs: 1", "epoch: 1"))
    assert done.returncode == 2
    assert done.stderr.count("sweep.yaml:") == 2
    assert done.stderr.index("sweep.yaml:4:18") < done.stderr.index("sweep.yaml:9:9")


def test_a_sweep_file_that_is_not_there(call, tmp_path):
    done = call("run", tmp_path / "none.yaml")
    assert done.returncode == 2
    assert "cannot be read" in done.stderr


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("budget.trails=3", "did you mean trials?"),
        ("budget.trials=many", "a whole number"),
        ("budget", "budget"),
    ],
)
def test_a_mistake_in_an_override(run, override, words):
    done = run(PLAIN, override)
    assert done.returncode == 2
    assert override in done.stderr
    assert words in done.stderr


def test_as_a_process_of_its_own(tmp_path):
    """The message, the exit code and no traceback, as a shell sees them."""
    (tmp_path / "sweep.yaml").write_text(PLAIN, encoding="utf-8")
    done = tlsearch(tmp_path / "home", "run", tmp_path / "sweep.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    message = done.stderr[done.stderr.index("tlsearch: ") :]
    what, received, expected, following = message.splitlines()
    assert what == "tlsearch: the source of the photos does not exist"
    assert received == f"  received: {tmp_path / 'photos'}"
    assert expected.startswith("  expected: a folder")
    assert following.startswith("  next: ")


@pytest.mark.parametrize("command", [[], ["--help"], ["run", "--help"], ["export", "--help"]])
def test_help(call, command):
    done = call(*command)
    assert "Usage: " in done.stdout + done.stderr


def test_an_unknown_command(call):
    done = call("trian")
    assert done.returncode == 2
    assert "trian" in done.stderr


@pytest.mark.parametrize("command", ["trials", "report", "export"])
def test_a_sweep_that_was_never_run(run, tmp_path, command):
    done = run(PLAIN, command=command)
    assert done.returncode == 2
    assert "has no trials yet" in done.stderr
    assert "tlsearch run" in done.stderr
    assert not (tmp_path / "home").exists()


class TestPhotos:
    def test_a_folder_that_is_not_there(self, run, tmp_path):
        (tmp_path / "photo").mkdir()
        done = run()
        assert done.returncode == 2
        assert "the source of the photos does not exist" in done.stderr
        assert f"did you mean {tmp_path / 'photo'}?" in done.stderr

    def test_an_empty_class(self, run, photos):
        photos(daisy=3, rose=0)
        done = run()
        assert done.returncode == 2
        assert "rose" in done.stderr

    def test_one_class_only(self, run, photos):
        photos(daisy=3)
        done = run()
        assert done.returncode == 2
        assert "daisy" in done.stderr
        assert "two" in done.stderr

    def test_fewer_photos_than_the_splits_need(self, run, photos):
        photos(daisy=2, rose=2)
        done = run()
        assert done.returncode == 2
        assert "a class has no photos in a split" in done.stderr
        assert "next: " in done.stderr

    def test_no_photo_can_be_read(self, run, photos):
        for photo in photos(daisy=3, rose=3).rglob("*.jpg"):
            photo.write_bytes(b"\xff\xd8 no photo")
        done = run()
        assert done.returncode == 2
        assert "every photo is unreadable" in done.stderr
        assert "0.jpg" in done.stderr

    def test_an_archive_that_climbs_out_of_its_folder(self, run, tmp_path):
        with tarfile.open(tmp_path / "photos.tgz", "w:gz") as archive:
            for name in ("photos/daisy/1.jpg", "../../evil.jpg"):
                info = tarfile.TarInfo(name)
                info.size = 4
                archive.addfile(info, io.BytesIO(b"evil"))
        done = run(PLAIN, f"data.source={tmp_path / 'photos.tgz'}")
        assert done.returncode == 2
        assert "evil.jpg" in done.stderr
        assert not list(tmp_path.parent.rglob("evil.jpg"))

    def test_an_archive_with_another_checksum(self, run, tmp_path):
        with tarfile.open(tmp_path / "photos.tgz", "w:gz") as archive:
            archive.addfile(tarfile.TarInfo("photos/daisy/1.jpg"))
        source = f"data.source={tmp_path / 'photos.tgz'}"
        done = run(PLAIN, source, f"data.sha256={'a' * 64}")
        digest = hashlib.sha256((tmp_path / "photos.tgz").read_bytes()).hexdigest()
        assert done.returncode == 2
        assert digest in done.stderr
        assert not list((tmp_path / "home").rglob("*.jpg"))


@pytest.fixture
def closed_port():
    """A port on which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class TestEnvironment:
    def test_no_network_for_the_photos(self, run, tmp_path, closed_port):
        done = run(PLAIN, f"data.source=http://127.0.0.1:{closed_port}/flower_photos.tgz")
        assert done.returncode == 3
        assert "flower_photos.tgz could not be fetched" in done.stderr
        assert f"put it at {tmp_path / 'home' / 'store' / 'downloads'}" in done.stderr
        assert "sweeps/quickstart.yaml" in done.stderr

    def test_no_network_for_the_weights(self, run, tmp_path, closed_port):
        proxy = f"http://127.0.0.1:{closed_port}"
        done = run(
            PLAIN,
            "space.strategy=feature_extraction",
            KERAS_HOME=str(tmp_path / "keras"),
            HTTPS_PROXY=proxy,
            https_proxy=proxy,
            NO_PROXY="",
            no_proxy="",
        )
        assert done.returncode == 3
        assert "weights" in done.stderr
        assert "mobilenet_2_5_224_tf_no_top.h5" in done.stderr
        assert str(tmp_path / "keras" / "models") in done.stderr
        assert "sweeps/quickstart.yaml" in done.stderr

    def test_a_backbone_s_file_that_is_not_there(self, run, tmp_path):
        text = PLAIN.replace("from_scratch", "fine_tune")
        done = run(text.replace("{name: MobileNet, alpha: 0.25}", "own.keras"))
        assert done.returncode == 3
        assert str(tmp_path / "own.keras") in done.stderr

    def test_a_home_that_cannot_be_written(self, run, photos, tmp_path):
        photos(daisy=3, rose=3)
        (tmp_path / "home").write_text("a file")
        done = run()
        assert done.returncode == 3
        assert "TLSEARCH_HOME cannot be written to" in done.stderr
        assert "TLSEARCH_HOME=" in done.stderr

    def test_a_database_that_cannot_be_reached(self, run, photos, closed_port):
        photos(daisy=3, rose=3)
        done = run(PLAIN, f"search.storage=postgresql://127.0.0.1:{closed_port}/none")
        assert done.returncode == 3
        assert "search.storage" in done.stderr

    def test_a_folder_that_is_no_bundle(self, call, tmp_path):
        done = call("predict", tmp_path, tmp_path / "photo.jpg")
        assert done.returncode in (2, 3)
        (tmp_path / "photo.jpg").write_bytes(b"")
        done = call("predict", tmp_path, tmp_path / "photo.jpg")
        assert done.returncode == 3
        assert "is not a bundle" in done.stderr

    def test_doctor_says_what_is_wrong_with_the_home(self, call, tmp_path):
        (tmp_path / "home").write_text("a file")
        done = call("doctor", "--json")
        findings = {one["what"]: one for one in json.loads(done.stdout)["data"]}
        assert done.returncode == 3
        assert not findings["TLSEARCH_HOME"]["fine"]
        assert findings["Python"]["fine"]


def test_the_version(call):
    from tlsearch import __version__

    done = call("--version")
    assert (done.returncode, done.stdout.strip()) == (0, __version__)


def test_backbones_as_json(call):
    done = call("backbones", "--json")
    rows = json.loads(done.stdout)["data"]
    assert {"MobileNetV2", "EfficientNetB0", "ResNet50V2"} <= {row["name"] for row in rows}


def test_the_schema_is_json(call):
    done = call("schema")
    assert "space" in json.loads(done.stdout)["properties"]
