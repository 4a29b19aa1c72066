"""Planted credentials are in no file under TLSEARCH_HOME, in no output, in no table of MLflow."""

from __future__ import annotations

import functools
import http.server
import io
import tarfile
import threading

import numpy as np
import pytest
from PIL import Image
from tiny_sweeps import SWEEP, tlsearch, write_sweep

SECRETS = {
    "source": "pl4nted-source-1",
    "storage": "pl4nted-storage-2",
    "tracking": "pl4nted-tracking-3",
    "environment": "pl4nted-environment-4",
    "database": "pl4nted-database-5",
}
NOBODY = "127.0.0.1:9"
"""A port that refuses connections."""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def _archive(folder):
    """Photos of three colours, 12 each."""
    numbers = np.random.default_rng(0)
    with tarfile.open(folder / "photos.tgz", "w:gz") as archive:
        for channel, name in enumerate(("blue", "green", "red")):
            for photo in range(20):
                pixels = numbers.integers(0, 90, (40, 40, 3), np.uint8)
                pixels[..., 2 - channel] += 120
                written = io.BytesIO()
                Image.fromarray(pixels).save(written, "PNG")
                entry = tarfile.TarInfo(f"photos/{name}/{photo}.png")
                entry.size = written.tell()
                written.seek(0)
                archive.addfile(entry, written)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Of an archive behind a token."""
    folder = tmp_path_factory.mktemp("served")
    _archive(folder)
    handler = functools.partial(_Quiet, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/photos.tgz?access_token={SECRETS['source']}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def file(tmp_path_factory, address):
    text = SWEEP.replace("  source: generated:flowers\n", f"  source: {address}\n")
    text = text.replace("  generated: {photos_per_class: 20, size: 64}\n", "")
    text = text.replace("[feature_extraction, fine_tune]", "feature_extraction")
    text = text.replace("  unfreeze: {choices: [1, 2], when: {strategy: fine_tune}}\n", "").replace(
        "trials: 4", "trials: 2"
    )
    return write_sweep(tmp_path_factory.mktemp("sweep"), text)


def _assert_hidden(home, *runs):
    """Look for the secrets in all that was printed, and in names and bytes of all files."""
    for run in runs:
        for name, secret in SECRETS.items():
            assert secret not in run.stdout, name
            assert secret not in run.stderr, name
    places = [*home.rglob("*")]
    assert len(places) > 20
    for place in places:
        content = place.read_bytes() if place.is_file() else b""
        for name, secret in SECRETS.items():
            assert secret not in str(place), name
            assert secret.encode() not in content, (name, place)


@pytest.mark.slow
def test_a_sweep_that_goes_well(tmp_path, file):
    home = tmp_path / "home"
    home.mkdir()
    extra = {
        "TLSEARCH_STORAGE": f"sqlite:///{home / 'study.db'}?token={SECRETS['storage']}",
        "MLFLOW_TRACKING_PASSWORD": SECRETS["environment"],
    }
    run = tlsearch(home, "run", file, "--json", **extra)
    assert run.returncode == 0, run.stderr
    assert (home / "study.db").is_file()
    assert not (home / "optuna.db").exists()
    override = f"search.storage={extra['TLSEARCH_STORAGE']}"
    again = tlsearch(home, "run", file, override, **extra)
    assert again.returncode == 0, again.stderr
    assert "token=***" in again.stdout
    other = tlsearch(home, "export", file, "--trial", "0", "--json", **extra)
    assert other.returncode == 0, other.stderr
    shown = [tlsearch(home, command, file, "--json", **extra) for command in ("trials", "plan")]
    assert [one.returncode for one in shown] == [0, 0]
    _assert_hidden(home, run, again, other, *shown)
    resolved = (home / "sweeps" / "tiny" / "resolved.yaml").read_text()
    assert resolved.count("token=***") == 2
    database = (home / "mlflow.db").read_bytes()
    assert b"access_token=***" in database


@pytest.mark.slow
def test_a_tracking_server_that_never_answers(tmp_path, file):
    home = tmp_path / "home"
    uri = f"http://anna:{SECRETS['tracking']}@{NOBODY}?token={SECRETS['environment']}"
    run = tlsearch(home, "run", file, "--json", MLFLOW_TRACKING_URI=uri)
    assert run.returncode == 0, run.stderr
    _assert_hidden(home, run)


def test_photos_a_database_and_a_sweep_file_that_are_not_there(tmp_path, file, address):
    home = tmp_path / "home"
    gone = address.replace("photos.tgz", "gone.tgz")
    photos = tlsearch(home, "run", file, f"data.source={gone}")
    assert photos.returncode == 3, photos.stderr
    assert "access_token=***" in photos.stderr
    storage = f"postgresql://anna:{SECRETS['database']}@{NOBODY}/x?password={SECRETS['storage']}"
    database = tlsearch(home, "run", file, TLSEARCH_STORAGE=storage)
    assert database.returncode == 3, database.stderr
    mistake = tlsearch(home, "run", file, f"search.storge={storage}")
    assert mistake.returncode == 2
    assert "anna:***@" in mistake.stderr
    for run in (photos, database, mistake):
        for name, secret in SECRETS.items():
            assert secret not in run.stdout + run.stderr, name
    for place in home.rglob("*"):
        content = place.read_bytes() if place.is_file() else b""
        assert not any(secret.encode() in content for secret in SECRETS.values()), place
