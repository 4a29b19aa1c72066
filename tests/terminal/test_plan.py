"""`tlsearch plan`: what it tells of a sweep, and what it leaves alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from tiny_sweeps import SWEEP, save_backbone, write_sweep

from tlsearch.cli import main
from tlsearch.config.loading import load
from tlsearch.paths import Paths
from tlsearch.search.screened import ScreenedBackbone, ScreeningResult
from tlsearch.search.study import SweepStudy

SCRATCH = SWEEP.replace("[feature_extraction, fine_tune]", "from_scratch").replace(
    "tiny.keras", "ResNet10"
)


@pytest.fixture
def plan(tmp_path, monkeypatch, capsys):
    """Runs the command on a sweep file of this text; its exit code, stdout and stderr."""
    monkeypatch.setenv("TLSEARCH_HOME", str(tmp_path / "home"))

    def call(text, *arguments):
        file = write_sweep(tmp_path, text)
        monkeypatch.setattr("sys.argv", ["tlsearch", "plan", str(file), *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return call


def _lines(printed, start):
    """The cells of the lines that begin with this."""
    lines = [line for line in printed.splitlines() if line.startswith(f"│ {start}")]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]


def test_what_people_are_told(plan, tmp_path):
    code, stdout, stderr = plan(SWEEP, "store.use=always")
    assert code == 0
    assert "timing each backbone" in stderr
    (daisy,) = _lines(stdout, "daisy")
    (everything,) = _lines(stdout, "all ")
    assert (sum(map(int, daisy[1:])), sum(map(int, everything[1:]))) == (20, 100)
    assert _lines(stdout, "head_learning_rate") == [
        ["head_learning_rate", "0.001 to 0.01, logarithmic", ""]
    ]
    assert _lines(stdout, "unfreeze") == [["unfreeze", "1, 2", "strategy: fine_tune"]]
    assert "4 trials, sampler random, pruner none, for val_accuracy" in stdout
    assert "3 epochs a trial, with fine_tune the head alone in the first 1" in stdout
    prefixes = _lines(stdout, "tiny.keras ")
    prefixes = [cells for cells in prefixes if cells[1] == "32"]
    assert [(cut, views) for _, _, cut, views, *_ in prefixes] == [
        ("relu_1 (unfreeze 2)", "1"),
        ("relu_2 (unfreeze 1)", "1"),
        ("pooled", "1"),
        ("relu_1 (unfreeze 2)", "2"),
        ("relu_2 (unfreeze 1)", "2"),
        ("pooled", "2"),
    ]
    assert {cells[-2] for cells in prefixes} == {"store"}
    assert all("store.use is always (" in cells[-1] for cells in prefixes)
    assert "the store will hold " in stdout
    assert sorted(path.name for path in (tmp_path / "home").iterdir()) == ["store"]
    assert not (tmp_path / "home" / "store" / "activations").exists()


def test_all_figures_as_json(plan):
    code, stdout, _ = plan(SWEEP, "--json")
    answer = json.loads(stdout)
    data = answer["data"]
    assert (code, answer["schema"]) == (0, 1)
    assert sum(sum(row.values()) for row in data["photos"].values()) == 100
    assert {row["parameter"]: row["values"] for row in data["space"]}["backbone"] == "tiny.keras"
    assert data["searched"] == ["strategy", "head_learning_rate", "augment", "unfreeze"]
    first = data["prefixes"][0]
    train, validation = (
        sum(row[split] for row in data["photos"].values()) for split in ("train", "validation")
    )
    assert (first["cut"], first["unfreeze"], first["rendition"]) == ("relu_1", 2, "")
    assert (first["rows"], first["stored_rows"]) == (train + validation, 0)
    assert first["bytes"] == first["rows"] * 16 * 16 * 8 * 2
    assert (first["trials"], first["epochs"]) == (0.5, 1.0)
    assert first["photo_seconds"] > 0
    assert first["stores"] == (first["stored_seconds"] < first["computed_seconds"])
    assert data["store"]["limit_bytes"] == 20 * 10**9
    assert data["store"]["free_bytes"] > 0


def test_two_policies_share_a_line(plan):
    _, stdout, _ = plan(SWEEP.replace("[none, light]", "[light, strong]"), "store.use=never")
    prefixes = [cells for cells in _lines(stdout, "tiny.keras ") if cells[1] == "32"]
    assert [cells[3] for cells in prefixes] == ["2, of 2 kinds"] * 3
    assert {tuple(cells[-2:]) for cells in prefixes} == {
        ("compute in every epoch", "each: store.use is never")
    }
    assert "to compute in every epoch, over all trials: " in stdout


def test_trials_on_photos_are_told(plan):
    _, stdout, _ = plan(SWEEP.replace("views: 2", "views: online"))
    assert "50% of the trials run their whole network on photos in every epoch" in stdout


def test_what_takes_more_than_the_limit(plan):
    _, stdout, _ = plan(SWEEP, "store.limit_gb=0.00005")
    assert "compute in every epoch" in stdout
    assert "and there is room for 0.1 MB" in stdout


def test_more_backbones_than_screening_keeps(plan, tmp_path):
    for name in "ab":
        save_backbone(tmp_path / f"{name}.keras")
    text = SWEEP.replace("backbone: tiny.keras", "backbone: [a.keras, tiny.keras, b.keras]")
    _, stdout, _ = plan(text, "search.screening.keep=2", "space.augment=none")
    assert "screening keeps 2 of 3 backbones" in stdout
    assert "the store will hold at most " in stdout
    pooled = [cells for cells in _lines(stdout, "") if cells[2:3] == ["pooled"]]
    assert [(cells[0], cells[4]) for cells in pooled] == [
        ("a.keras", "2"),
        ("tiny.keras", "2"),
        ("b.keras", "2"),
    ]


def _screened(backbone, kept):
    return ScreenedBackbone(
        backbone=backbone,
        image_size=32,
        photos=60,
        accuracy=0.7,
        standard_error=0.05,
        published=None,
        estimate=0.7,
        kept=kept,
        told_apart=True,
        below={},
        better_below=None,
        unfreeze=None,
        seconds=1.0,
    )


@pytest.fixture
def screened(tmp_path):
    """A sweep file's text whose study has screened its backbones and kept one of them."""
    save_backbone(tmp_path / "a.keras")
    text = SWEEP.replace("backbone: tiny.keras", "backbone: [a.keras, tiny.keras]").replace(
        "seed: 4}", "seed: 4, screening: {keep: 1}}"
    )
    paths = Paths(tmp_path / "home")
    paths.create()
    sweep = load(write_sweep(tmp_path, text))
    labels = [one.label for one in sweep.space.backbone.choices]
    rows = tuple(_screened(label, label.endswith("a.keras")) for label in labels)
    SweepStudy.open(sweep, paths).note_screening(ScreeningResult(rows, (), 3.0))
    return text


def test_what_a_study_has_screened_is_told(plan, screened):
    code, stdout, _ = plan(screened)
    assert code == 0
    assert "screening kept 1 of 2 backbones: a.keras" in stdout
    ranking = [cells for cells in _lines(stdout, "") if cells[-1] in ("kept", "left out")]
    assert [(cells[1], cells[-1]) for cells in ranking] == [
        ("a.keras", "kept"),
        ("tiny.keras", "left out"),
    ]
    assert {cells[0] for cells in _lines(stdout, "") if cells[2:3] == ["pooled"]} == {"a.keras"}
    assert "at most" not in stdout


def test_a_study_of_a_different_sweep_is_a_warning(plan, screened):
    code, stdout, _ = plan(screened, "train.epochs=2")
    assert code == 0
    assert "warning: `tlsearch run` will refuse this: the study 'tiny' was made by" in stdout
    assert "train.epochs: 3 -> 2" in stdout
    assert "screening keeps 1 of 2 backbones" in stdout


@pytest.mark.parametrize(
    ("changes", "code", "told"),
    [
        (("backbone: tiny.keras", "backbone: absent.keras"), 3, "does not exist"),
        (("epochs: 3", "epochs: 0"), 2, "train.epochs"),
        (("generated:flowers", "nowhere"), 2, "nowhere"),
    ],
    ids=["weights", "sweep", "photos"],
)
def test_mistakes(plan, changes, code, told):
    ended, stdout, stderr = plan(SWEEP.replace(*changes))
    assert (ended, stdout) == (code, "")
    assert told in stderr


def test_from_scratch_alone_needs_no_framework(tmp_path):
    file = write_sweep(tmp_path, SCRATCH)
    script = (
        "import sys\nfrom tlsearch.cli import main\n"
        "try:\n    main()\nfinally:\n"
        "    print([name for name in ('keras', 'tensorflow') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "plan", str(file)],
        capture_output=True,
        text=True,
        env={**os.environ, "TLSEARCH_HOME": str(tmp_path / "home")},
    )
    assert done.returncode == 0, done.stderr
    assert "nothing is stored: every trial runs its whole network on photos" in done.stdout
    assert "frozen prefixes" not in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"
