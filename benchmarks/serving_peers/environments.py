"""An environment for each side: a venv with what pip installs, made once and kept."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tlsearch.errors import NoResultError

ROOT = Path(__file__).parents[2]
_MARK = "installed.json"


@dataclass(frozen=True)
class Environment:
    """A venv that holds all that was asked for."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def packages(self) -> Path:
        """Its site-packages."""
        return next((self.folder / "lib").glob("python*/site-packages"))

    def versions(self) -> dict[str, str]:
        """Package to version."""
        return json.loads((self.folder / _MARK).read_text())


@dataclass(frozen=True)
class Environments:
    """Where the environments lie. `tell` says what is being installed."""

    folder: Path
    tell: Callable[[str], None]

    def is_ready(self, name: str, requirements: Sequence[str]) -> bool:
        return (self._place(name, requirements) / _MARK).is_file()

    def get(self, name: str, requirements: Sequence[str]) -> Environment:
        """The environment, installed if it is not there yet.

        Raises:
            NoResultError: pip could not install it.
        """
        place = self._place(name, requirements)
        if not (place / _MARK).is_file():
            self.tell(f"installing {' '.join(requirements)}")
            _install(place, requirements)
        return Environment(place)

    def _place(self, name: str, requirements: Sequence[str]) -> Path:
        asked = json.dumps([sys.version, *requirements])
        return self.folder / f"{name}-{hashlib.sha256(asked.encode()).hexdigest()[:8]}"


def engine() -> str:
    """The onnxruntime that every side gets: the version that stands here, in its CPU build."""
    for name in ("onnxruntime-gpu", "onnxruntime"):
        try:
            return f"onnxruntime=={version(name)}"
        except PackageNotFoundError:
            continue
    return "onnxruntime"


def own_requirements() -> tuple[str, ...]:
    """What tlsearch's server needs, onnxruntime apart."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return tuple(one for one in project["dependencies"] if not one.startswith("onnxruntime"))


def _install(place: Path, requirements: Sequence[str]) -> None:
    # A venv cannot be moved, so a mark, written last, says that it is whole.
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    _run(sys.executable, "-m", "venv", str(place))
    pip = [str(place / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    _run(*pip, "install", "--quiet", *requirements)
    listed = json.loads(_run(*pip, "list", "--format", "json"))
    found = {one["name"]: one["version"] for one in listed}
    (place / _MARK).write_text(json.dumps(found, indent=1))


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise NoResultError(
            "an environment could not be made",
            received=" ".join(lines[-1:]) or done.stderr[-300:] or f"status {done.returncode}",
            hint=f"see for yourself: {' '.join(command)}",
        )
    return done.stdout
