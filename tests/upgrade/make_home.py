"""Makes the home of a sweep that was killed, for later versions to go on with.

python tests/upgrade/make_home.py tests/upgrade/home-VERSION.tar.gz
"""

from __future__ import annotations

import shutil
import signal
import sys
import tarfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

TRIALS, EPOCHS = 3, 3
SWEEP = f"""\
version: 1
name: tiny
data:
  source: generated:flowers
  generated: {{photos_per_class: 20, size: 64}}
  split: {{train: 0.6, validation: 0.2, test: 0.2, seed: 7}}
budget: {{trials: {TRIALS}}}
search: {{sampler: random, pruner: none, seed: 4}}
space:
  backbone: {{name: ResNet10, weights: builtin}}
  image_size: 32
  strategy: feature_extraction
  head_learning_rate: {{type: float, low: 1e-3, high: 1e-2, log: true}}
  dropout: {{type: float, low: 0.1, high: 0.5}}
train: {{epochs: {EPOCHS}, batch_size: 16, early_stopping: null}}
execution: {{workers: 1}}
export: {{register: tiny-flowers}}
"""
PLACE = "/tmp/tlsearch-home-of-an-earlier-version"
LEFT_OUT = ("store", "logs", ".lock")
"""What is computed again, is of no use, or was held by processes that are gone."""


def make(archive: Path) -> None:
    """Run the sweep until it is killed, and pack its home."""
    from faults import count, environment, kill
    from tiny_sweeps import tlsearch

    place = Path(PLACE)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    file = place / "sweep.yaml"
    file.write_text(SWEEP)
    slow = count("tlsearch.training.learner:Learner.learn", place / "learned", pause=0.6)
    end = kill("tlsearch.search.study:SweepStudy.report", "after", EPOCHS + 2)
    done = tlsearch(place / "home", "run", file, **environment(place / "f", slow, end))
    assert done.returncode == -signal.SIGKILL, done.stderr
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(place / "home", "home", filter=_choose)
    shutil.rmtree(place)


def _choose(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if any(part.endswith(LEFT_OUT) for part in Path(member.name).parts):
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    make(Path(sys.argv[1]))
