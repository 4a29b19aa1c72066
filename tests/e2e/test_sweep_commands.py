"""What can be done with a finished sweep: read it, run it again, export from it, predict."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys

import pytest
from tiny_sweeps import environment, tlsearch

from serving import Bundle, Engine


def test_running_again_says_that_the_budget_is_spent(tiny_sweep):
    logs = {path: path.read_bytes() for path in tiny_sweep.folder.glob("logs/**/*.log")}
    again = tiny_sweep.command("run")
    assert again.returncode == 0, again.stderr
    assert "the budget is spent: 4 of 4 trials are finished" in again.stderr
    champion = tiny_sweep.of_kind("champion")[0]
    assert f"champion: trial {champion['trial']}, " in again.stdout
    assert "tlsearch predict" in again.stdout
    assert "test accuracy" in again.stdout
    assert logs
    assert {path: path.read_bytes() for path in tiny_sweep.folder.glob("logs/**/*.log")} == logs
    assert len(tiny_sweep.study.get_trials()) == 4


def test_trials_as_json(tiny_sweep):
    shown = tiny_sweep.command("trials", "--json")
    answer = json.loads(shown.stdout)
    assert (shown.returncode, answer["schema"]) == (0, 1)
    values = [row["value"] for row in answer["data"]]
    assert values == sorted(values, reverse=True)
    assert answer["data"][0]["trial"] == tiny_sweep.of_kind("champion")[0]["trial"]
    for row in answer["data"]:
        assert row["state"] == "complete"
        assert (row["unfreeze"] is None) == (row["strategy"] != "fine_tune")


def test_trials_as_csv(tiny_sweep):
    shown = tiny_sweep.command("trials", "--csv")
    rows = list(csv.DictReader(io.StringIO(shown.stdout)))
    assert sorted(row["trial"] for row in rows) == ["0", "1", "2", "3"]
    assert {row["backbone"].rpartition("/")[2] for row in rows} == {"tiny.keras"}
    assert all(0 <= float(row["value"]) <= 1 for row in rows)


def test_trials_as_a_table(tiny_sweep):
    shown = tiny_sweep.command("trials")
    assert shown.returncode == 0
    assert shown.stdout.count("complete") == 4


def test_the_report_says_what_the_run_has_said(tiny_sweep):
    shown = tiny_sweep.command("report")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout == tiny_sweep.command("run").stdout
    data = json.loads(tiny_sweep.command("report", "--json").stdout)["data"]
    champion = tiny_sweep.of_kind("champion")[0]["trial"]
    manifest = tiny_sweep.bundle.manifest
    assert data["champion"]["trial"] == champion
    assert data["test"]["accuracy"] == manifest.metrics.test.accuracy
    assert data["states"] == {"complete": 4}
    assert (data["bundle"], data["host"]) == (str(tiny_sweep.bundle.folder), None)


@pytest.fixture(scope="module")
def other(tiny_sweep):
    """A trial that is not the champion."""
    champion = tiny_sweep.of_kind("champion")[0]["trial"]
    return next(number for number in range(4) if number != champion)


def test_another_trial_is_exported_without_a_look_at_the_test_split(tiny_sweep, other, tmp_path):
    output = tmp_path / "out" / "bundle"
    exported = tiny_sweep.command("export", "--trial", other, "--output", output)
    assert exported.returncode == 0, exported.stderr
    assert exported.stdout.strip() == str(output)
    bundle = Bundle.open(output)
    assert bundle.manifest.run.trial == other
    assert bundle.manifest.metrics.test is None
    assert Engine(bundle).replay_golden() < 1e-4
    card = " ".join((output / "MODEL_CARD.md").read_text().split())  # its lines are wrapped
    assert "the test split was not read" in card
    assert tiny_sweep.bundle.manifest.run.trial != other


def test_the_champion_is_copied(tiny_sweep, tmp_path):
    exported = tiny_sweep.command("export", "--output", tmp_path / "bundle")
    assert exported.returncode == 0, exported.stderr
    assert Bundle.open(tmp_path / "bundle").manifest == tiny_sweep.bundle.manifest


@pytest.mark.parametrize("chosen", ["champion", "other"])
def test_an_export_leaves_a_folder_of_something_else_alone(tiny_sweep, other, tmp_path, chosen):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("precious")
    trial = ["--trial", other] if chosen == "other" else []
    exported = tiny_sweep.command("export", *trial, "--output", tmp_path / "letters")
    assert exported.returncode == 2, exported.stderr
    assert "Traceback" not in exported.stderr
    assert "next:" in exported.stderr
    assert (tmp_path / "letters" / "dear.txt").read_text() == "precious"


def test_a_trial_that_is_not_there(tiny_sweep):
    exported = tiny_sweep.command("export", "--trial", 17)
    assert exported.returncode == 2
    assert "expected: one of the trials with a result: [0, 1, 2, 3]" in exported.stderr


@pytest.fixture(scope="module")
def photos(tiny_sweep, tmp_path_factory):
    """Two photos, and a file that is none."""
    folder = tmp_path_factory.mktemp("photos")
    drawn = sorted(tiny_sweep.paths.store.glob("generated/*/rose/*.jpg"))
    for number, photo in enumerate(drawn[:2]):
        shutil.copy(photo, folder / f"{number}.jpg")
    (folder / "torn.jpg").write_bytes(drawn[0].read_bytes()[:100])
    return folder


def _predict(tiny_sweep, *arguments):
    return tlsearch(tiny_sweep.home, "predict", tiny_sweep.bundle.folder, *arguments)


def test_predict_a_folder_as_json(tiny_sweep, photos):
    done = _predict(tiny_sweep, photos, "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["schema"]) == (0, 1)
    first, second, torn = answer["data"]
    assert [row["image"] for row in answer["data"]] == [str(p) for p in sorted(photos.iterdir())]
    for row in (first, second):
        assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert row["probabilities"][row["label"]] == row["probability"]
        assert row["probability"] == max(row["probabilities"].values())
    assert torn.keys() == {"image", "error"}


def test_predict_files_as_csv(tiny_sweep, photos):
    done = _predict(tiny_sweep, photos / "1.jpg", photos / "torn.jpg", "--csv")
    first, torn = csv.DictReader(io.StringIO(done.stdout))
    assert done.returncode == 0
    assert first["label"] in tiny_sweep.bundle.labels
    assert (torn["label"], first["error"]) == ("", "")
    assert torn["error"]


def test_predict_as_a_table(tiny_sweep, photos):
    done = _predict(tiny_sweep, photos / "0.jpg")
    assert done.returncode == 0
    assert str(photos / "0.jpg") in done.stdout


def test_predict_nothing_readable(tiny_sweep, photos):
    done = _predict(tiny_sweep, photos / "torn.jpg")
    assert done.returncode == 1
    assert "no photo could be read" in done.stderr


def test_predict_with_a_changed_bundle(tiny_sweep, photos, tmp_path):
    folder = shutil.copytree(tiny_sweep.bundle.folder, tmp_path / "bundle")
    (folder / "model.onnx").write_bytes((folder / "model.onnx").read_bytes()[:-1] + b"x")
    done = tlsearch(tiny_sweep.home, "predict", folder, photos)
    assert done.returncode == 3
    assert "changed files" in done.stderr
    assert "model.onnx" in done.stderr


PYTHON = """
import json, sys
import tlsearch

sweep = tlsearch.load(sys.argv[1], **{"budget.trials": int(sys.argv[2])})
result = tlsearch.run(sweep)
assert isinstance(result, tlsearch.SweepResult)
facts = {
    "trials": result.trials["trial"].tolist(),
    "best": result.best["trial"],
    "bundle": str(result.bundle),
    "html": result._repr_html_()[:3],
}
print(json.dumps(facts))
"""
"""Without a guard for __main__: that a worker imports it again must do no harm."""


def test_the_door_from_python(tiny_sweep, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(PYTHON, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script, tiny_sweep.file, "4"],
        env=environment(tiny_sweep.home),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout.splitlines()[-1])
    assert sorted(facts["trials"]) == [0, 1, 2, 3]
    assert facts["best"] == facts["trials"][0] == tiny_sweep.of_kind("champion")[0]["trial"]
    assert facts["bundle"] == str(tiny_sweep.bundle.folder)
    assert facts["html"] == "<p>"


@pytest.fixture
def copy(tiny_sweep, tmp_path):
    """The same state in another folder, so that a test may change it."""
    home = shutil.copytree(tiny_sweep.home, tmp_path / "home")
    return lambda *arguments: tlsearch(home, "run", tiny_sweep.file, *arguments)


def test_a_changed_sweep_is_refused_with_the_difference(copy, tiny_sweep):
    before = len(tiny_sweep.study.get_trials())
    refused = copy("train.epochs=4")
    assert refused.returncode == 2
    assert "train.epochs: 3 -> 4" in refused.stderr
    assert "--new" in refused.stderr
    assert len(tiny_sweep.study.get_trials()) == before


def test_changed_photos_are_refused(copy):
    refused = copy("data.generated.photos_per_class=21", "budget.trials=5")
    assert refused.returncode == 2
    assert "the photos are not those that the study 'tiny' was made with" in refused.stderr


@pytest.mark.slow
def test_a_larger_budget_continues(copy, tmp_path):
    done = copy("budget.trials=5", "--json")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["trial"] for event in events if event["event"] == "trial_started"] == [4]


@pytest.mark.slow
def test_new_starts_over_and_keeps_the_old_study(copy, tmp_path):
    import optuna

    done = copy("budget.trials=1", "train.epochs=1", "--new")
    assert done.returncode == 0, done.stderr
    storage = f"sqlite:///{tmp_path / 'home' / 'optuna.db'}"
    counts = {
        name: len(optuna.load_study(study_name=name, storage=storage).get_trials())
        for name in optuna.get_all_study_names(storage)
    }
    assert counts.pop("tiny") == 1
    assert list(counts.values()) == [4]


@pytest.mark.slow
def test_the_door_from_python_trains_too(tiny_sweep, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(PYTHON, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script, tiny_sweep.file, "1"],
        env=environment(tmp_path / "home"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["trials"] == [0]
