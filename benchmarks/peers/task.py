"""What the process of one side is given, as a JSON file, and what it says, as JSON lines."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from peers.trials import Trial


@dataclass(frozen=True)
class Setting:
    """What all trials of a benchmark have in common."""

    photos: str
    """A folder with train/, validation/ and test/, a folder for each class in each."""
    image_size: int = 160
    epochs: int = 10
    head_epochs: int = 3
    batch_size: int = 64
    views: int = 4
    seed: int = 0


@dataclass(frozen=True)
class Task:
    """The trials that a peer's script runs, one after the other.

    `boundaries` maps "BACKBONE DEPTH" to the name of the layer above which blocks are unfrozen.
    """

    setting: Setting
    trials: tuple[Trial, ...]
    boundaries: dict[str, str]

    def boundary(self, trial: Trial) -> str:
        return self.boundaries[f"{trial.backbone} {trial.unfreeze}"]

    def save(self, file: Path) -> Path:
        file.write_text(json.dumps(asdict(self)), encoding="utf-8")
        return file

    @classmethod
    def load(cls, file: str) -> Task:
        fields = json.loads(Path(file).read_text(encoding="utf-8"))
        trials = tuple(Trial(**trial) for trial in fields["trials"])
        return cls(Setting(**fields["setting"]), trials, fields["boundaries"])


def tell(event: str, **facts: Any) -> None:
    """One line for whoever measures, named as in `tlsearch run --json`."""
    sys.stdout.write(json.dumps({"event": event, **facts}) + "\n")
    sys.stdout.flush()
