from __future__ import annotations

import io
import json

import pytest
from peers.bench import boundaries
from peers.ours import sweep
from peers.table import show, show_value
from peers.task import Setting, Task
from peers.trials import BACKBONES, DEPTHS, feature_extraction, mixed
from rich.console import Console
from sweep import check_weights, parse

from tlsearch.config.loading import load
from tlsearch.config.schema import BackboneChoice
from tlsearch.errors import WeightsError

SETTING = Setting("photos", 96, 2, 1, 32, 3, 5)


@pytest.mark.parametrize("trials", [mixed(24), feature_extraction(20)], ids=["mixed", "frozen"])
@pytest.mark.parametrize("use", ["auto", "never"])
def test_the_sweep_file_is_valid(tmp_path, trials, use):
    file = tmp_path / "sweep.yaml"
    file.write_text(json.dumps(sweep("benchmark", SETTING, trials, use)))
    loaded = load(file, [])
    assert len(loaded.search.enqueue) == loaded.budget.trials == len(trials)
    assert (loaded.search.sampler, loaded.search.pruner) == ("random", "none")
    assert loaded.train.early_stopping is None
    assert (loaded.train.epochs, loaded.train.head_epochs, loaded.data.views) == (2, 1, 3)
    assert loaded.store.use == use


def test_enqueued_trials_name_what_is_searched_and_nothing_else():
    contents = sweep("benchmark", SETTING, feature_extraction(3), "auto")
    assert all(
        set(one) == {"head_learning_rate", "dropout"} for one in contents["search"]["enqueue"]
    )
    named = {frozenset(one) for one in sweep("b", SETTING, mixed(9), "auto")["search"]["enqueue"]}
    frozen = {"backbone", "strategy", "head_learning_rate", "dropout"}
    assert named == {frozenset(frozen), frozenset(frozen | {"unfreeze", "learning_rate"})}


def test_a_task_survives_its_file(tmp_path):
    task = Task(SETTING, tuple(mixed(6)), boundaries())
    assert Task.load(str(task.save(tmp_path / "task.json"))) == task


def test_boundaries_are_known_for_every_backbone_and_depth():
    assert set(boundaries()) == {f"{name} {depth}" for name in BACKBONES for depth in DEPTHS}
    assert boundaries()["MobileNet 1"] == "conv_pw_12_relu"


def test_quick_sets_what_is_not_given():
    options = parse(["--quick", "--epochs", "1"])
    assert (options.epochs, options.rounds, options.image_size) == (1, 1, 96)
    assert options.scenario == ["feature_extraction", "mixed"]
    assert parse([]).scenario == ["feature_extraction", "mixed", "heads", "memory"]
    assert parse([]).sample is None


def test_missing_weights_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match="no weights here") as caught:
        check_weights(160)
    assert all(name.lower() in str(caught.value).replace("_v2", "v2") for name in BACKBONES)


def test_figures_show_their_units():
    shown = [
        show_value(*pair) for pair in [(0.91234, ""), (1234.5, "s"), (12.34, "x"), (1.234, "s")]
    ]
    assert shown == ["0.9123", "1,234 s", "12.3 x", "1.23 s"]


def test_the_table_shows_every_row():
    output = io.StringIO()
    row = {"what": "all of it", "value": 5.123, "unit": "x", "note": "24 trials estimated from 6"}
    findings = {
        "machine": {"cores": 2, "processor": "some", "import_seconds": 6.0},
        "photos": 100,
        "rounds": 3,
        "setting": {"image_size": 96, "epochs": 2},
        "scenarios": {"mixed": {"figures": [row]}},
    }
    show(findings, Console(file=output, width=100))
    assert "5.12 x" in output.getvalue()
    assert "24 trials estimated from 6" in output.getvalue()


def test_labels_of_backbones_are_those_of_tlsearch():
    assert [BackboneChoice(name=name).label for name in BACKBONES] == list(BACKBONES)
