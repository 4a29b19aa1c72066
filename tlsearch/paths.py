"""Where everything that tlsearch writes lies: one object owns every path."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tlsearch.disk import full_disk, is_disk_full
from tlsearch.errors import HomeError


@dataclass(frozen=True)
class SweepPaths:
    """The folder of one sweep."""

    folder: Path

    @property
    def resolved(self) -> Path:
        return self.folder / "resolved.yaml"

    @property
    def bundle(self) -> Path:
        return self.folder / "bundle"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def spool(self) -> Path:
        return self.folder / "spool"

    def trial(self, number: int) -> Path:
        return self.folder / "trials" / f"{number:05d}"


@dataclass(frozen=True)
class Paths:
    """`TLSEARCH_HOME`: by default `.tlsearch` beside where the command runs."""

    home: Path

    @classmethod
    def from_environment(cls) -> Paths:
        return cls(Path(os.environ.get("TLSEARCH_HOME") or ".tlsearch").absolute())

    @property
    def optuna_db(self) -> Path:
        return self.home / "optuna.db"

    @property
    def mlflow_db(self) -> Path:
        return self.home / "mlflow.db"

    @property
    def artifacts(self) -> Path:
        return self.home / "mlartifacts"

    @property
    def store(self) -> Path:
        return self.home / "store"

    @property
    def downloads(self) -> Path:
        return self.store / "downloads"

    @property
    def activations(self) -> Path:
        return self.store / "activations"

    @property
    def probes(self) -> Path:
        return self.store / "probes"

    def sweep(self, name: str) -> SweepPaths:
        return SweepPaths(self.home / "sweeps" / name)

    def pretraining(self, name: str) -> Path:
        return self.home / "pretraining" / name

    def create(self) -> None:
        """Make the home and try to write in it.

        Raises:
            HomeError: the folder cannot be made or written to; a DiskError where it is full.
        """
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.home):
                pass
        except OSError as error:
            if is_disk_full(error):
                raise full_disk(self.home, error) from error
            raise HomeError(
                "TLSEARCH_HOME cannot be written to",
                received=f"{self.home} ({error.strerror})",
                expected="a folder that this user may write to",
                hint="choose another one: TLSEARCH_HOME=/path/to/folder tlsearch ...",
            ) from error
