"""One small sweep through the real command, run once; many tests look at what it left."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import optuna
import pytest
from tiny_sweeps import tlsearch, write_sweep

from serving import Bundle
from tlsearch.config.loading import load
from tlsearch.paths import Paths


@dataclass(frozen=True)
class FinishedSweep:
    """What a sweep left behind."""

    file: Path
    home: Path
    process: subprocess.CompletedProcess[str]

    @cached_property
    def sweep(self):
        return load(self.file)

    @property
    def paths(self) -> Paths:
        return Paths(self.home)

    @property
    def folder(self) -> Path:
        return self.paths.sweep("tiny").folder

    @property
    def bundle(self) -> Bundle:
        return Bundle.open(self.paths.sweep("tiny").bundle)

    @property
    def events(self) -> list[dict]:
        return [json.loads(line) for line in self.process.stdout.splitlines()]

    def of_kind(self, kind: str) -> list[dict]:
        return [event for event in self.events if event["event"] == kind]

    @cached_property
    def study(self) -> optuna.Study:
        return optuna.load_study(study_name="tiny", storage=f"sqlite:///{self.paths.optuna_db}")

    def command(self, name: str, *arguments: object, **extra: str):
        """Another command about the same sweep."""
        return tlsearch(self.home, name, self.file, *arguments, **extra)


@pytest.fixture(scope="session")
def tiny_sweep(tmp_path_factory) -> FinishedSweep:
    """The sweep of tiny_sweeps.SWEEP, run with --json."""
    folder = tmp_path_factory.mktemp("sweep")
    file, home = write_sweep(folder), folder / "home"
    return FinishedSweep(file, home, tlsearch(home, "run", file, "--json"))
