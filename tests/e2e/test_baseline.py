"""A sweep in which transfer learning and training from scratch compete: judged side by side."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tiny_sweeps import SWEEP, tlsearch, write_sweep

from serving import Bundle, Engine
from tlsearch.config.loading import load
from tlsearch.data.dataset import prepare
from tlsearch.paths import Paths
from tlsearch.search.notes import DELIVERED, TEST
from tlsearch.search.study import SweepStudy
from tlsearch.training.trained import TrainedTrial

pytestmark = pytest.mark.slow

TEXT = (
    SWEEP.replace("trials: 4", "trials: 3")
    .replace("seed: 4", "seed: 6")
    .replace("[feature_extraction, fine_tune]", "[feature_extraction, from_scratch]")
)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return write_sweep(tmp_path_factory.mktemp("baseline"), TEXT)


@pytest.fixture(scope="module")
def paths(file):
    return Paths(file.parent / "home")


@pytest.fixture(scope="module")
def events(file, paths):
    """What running it with --json printed."""
    done = tlsearch(paths.home, "run", file, "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def compared(events):
    (found,) = [event for event in events if event["event"] == "compared"]
    return found


@pytest.fixture(scope="module")
def champion(events):
    return next(event["trial"] for event in events if event["event"] == "champion")


@pytest.fixture(scope="module")
def rival(events):
    (found,) = [event["trial"] for event in events if event["event"] == "judging"]
    return found


def test_the_rival_is_judged_after_the_champion_and_never_before(events):
    kinds = [event["event"] for event in events]
    ends = ["champion", "exporting", "exported", "judging", "registered", "compared"]
    assert [kind for kind in kinds if kind in ends] == ends
    assert kinds.index("champion") > max(n for n, kind in enumerate(kinds) if kind == "trial_ended")
    assert "warning" not in kinds


def test_both_kinds_are_told(events, compared, champion, rival):
    ended = {event["trial"]: event for event in events if event["event"] == "trial_ended"}
    assert {event["strategy"] for event in ended.values()} == {"feature_extraction", "from_scratch"}
    assert {compared["transfer"]["trial"], compared["baseline"]["trial"]} == {champion, rival}
    for side in (compared["transfer"], compared["baseline"]):
        told = ended[side["trial"]]
        assert all(side[name] == told[name] for name in ("strategy", "epochs", "seconds"))
        kind = [event for event in ended.values() if event["strategy"] == side["strategy"]]
        assert told["value"] == max(event["value"] for event in kind)
    assert compared["is_at_equal_epochs"]


def test_the_champion_s_figure_is_that_of_its_bundle(compared, champion, paths):
    bundle = Bundle.open(paths.sweep("tiny").bundle)
    (side,) = [s for s in (compared["transfer"], compared["baseline"]) if s["trial"] == champion]
    assert side["accuracy"] == bundle.manifest.metrics.test.accuracy


def test_the_rival_s_figure_is_what_its_exported_network_answers(
    compared, rival, file, paths, tmp_path
):
    exported = tlsearch(paths.home, "export", file, "--trial", rival, "--output", tmp_path / "b")
    assert exported.returncode == 0, exported.stderr
    dataset = prepare(load(file).data, paths, 32)
    rows = dataset.splits["test"]
    answers = Engine(Bundle.open(tmp_path / "b")).classify(
        [Path(dataset.paths[row]) for row in rows]
    )
    labels = [dataset.classes[dataset.labels[row]] for row in rows]
    right = [answer.label == label for answer, label in zip(answers, labels, strict=True)]
    (side,) = [s for s in (compared["transfer"], compared["baseline"]) if s["trial"] == rival]
    assert side["accuracy"] == pytest.approx(sum(right) / len(right))


def test_mlflow_has_the_test_metrics_of_both_and_of_no_other(compared, champion, rival, paths):
    from tlsearch.tracking.connection import connect
    from tlsearch.tracking.location import resolve_uri

    client = connect(resolve_uri(f"sqlite:///{paths.mlflow_db}", None, paths))
    experiment = client.get_experiment_by_name("tiny").experiment_id
    found = {run.data.tags.get("tlsearch.trial"): run for run in client.search_runs([experiment])}
    parent, runs = found.pop(None), {int(number): run for number, run in found.items()}
    judged = {number for number, run in runs.items() if "test_accuracy" in run.data.metrics}
    assert judged == {champion, rival}
    assert parent.data.tags["tlsearch.champion"] == runs[champion].info.run_id
    assert parent.data.tags["tlsearch.rival"] == runs[rival].info.run_id
    assert runs[rival].info.status == "FINISHED"
    for side in (compared["transfer"], compared["baseline"]):
        logged = runs[side["trial"]].data.metrics
        assert logged["test_accuracy"] == pytest.approx(side["accuracy"])
        assert logged["test_accuracy_low"] == pytest.approx(side["low"])


def test_a_rerun_says_it_again_and_computes_nothing(compared, file, paths):
    logs = {path: path.read_bytes() for path in paths.sweep("tiny").logs.glob("**/*.log")}
    again = tlsearch(paths.home, "run", file)
    assert again.returncode == 0, again.stderr
    lines = again.stdout.splitlines()
    (said,) = [number for number, line in enumerate(lines) if line.startswith("transfer learning")]
    assert lines[said - 1].startswith("test accuracy ")
    for side in (compared["transfer"], compared["baseline"]):
        assert f"{side['accuracy']:.3f}" in lines[said]
        assert f"trial {side['trial']})" in lines[said]
    assert "judging" not in again.stderr
    assert {path: path.read_bytes() for path in logs} == logs


def test_a_rival_that_cannot_be_judged_keeps_no_champion_back(
    compared, rival, file, paths, tmp_path
):
    """Its weights are damaged when the sweep, as if killed before its end, is delivered again."""
    copy = Paths(shutil.copytree(paths.home, tmp_path / "home"))
    study = SweepStudy.find(load(file), copy)._study
    study.set_user_attr(f"{TEST}.{rival}", None)
    study.set_user_attr(DELIVERED, None)
    (TrainedTrial(copy.sweep("tiny").trial(rival)).folder / "learned.npz").write_bytes(b"torn")
    done = tlsearch(copy.home, "run", file)
    assert done.returncode == 0, done.stderr
    assert f"nothing is compared: trial {rival} could not be judged" in done.stderr
    assert "transfer learning (" not in done.stdout
    assert "test accuracy" in done.stdout
