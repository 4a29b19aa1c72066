"""What `tlsearch plan` says before a sweep, and what the sweep then leaves in the store."""

from __future__ import annotations

import json

import pytest
from tiny_sweeps import tlsearch, write_sweep


@pytest.fixture(scope="module")
def planned(tiny_sweep):
    """The plan of the finished sweep's file, on its store."""
    shown = tiny_sweep.command("plan", "--json")
    assert shown.returncode == 0, shown.stderr
    return json.loads(shown.stdout)["data"]


@pytest.fixture(scope="module")
def entries(tiny_sweep):
    shown = tlsearch(tiny_sweep.home, "store", "--json")
    return json.loads(shown.stdout)["data"]["entries"]


def test_what_the_sweep_has_stored_is_told(planned):
    """Whether block cuts pay on so small a network is a matter of microseconds; pooling does."""
    for one in planned["prefixes"]:
        assert (one["why"] == "it is stored") == (one["stored_rows"] == one["rows"])
        assert one["stores"] or one["stored_rows"] < one["rows"]
    pooled = next(one for one in planned["prefixes"] if one["cut"] == "pooled")
    assert pooled["rendition"] == ""
    assert pooled["stored_rows"] == pooled["rows"]


def test_the_photos_are_those_of_the_run(planned, tiny_sweep):
    (ready,) = tiny_sweep.of_kind("data_ready")
    for split, count in ready["photos"].items():
        assert sum(row[split] for row in planned["photos"].values()) == count


def test_the_bytes_are_those_of_the_entries(planned, entries):
    """Shards hold rows and little else."""
    planned_rows = {
        (one["cut"], one["rendition"]): one["bytes"]
        for one in planned["prefixes"]
        if one["stored_rows"] == one["rows"] and not one["rendition"]
    }
    assert planned_rows
    for (cut, _), bytes_ in planned_rows.items():
        kept = [one for one in entries if one["key"]["cut"].partition(":")[0] == cut]
        original = next(one for one in kept if one["key"]["view"] == "original")
        assert bytes_ <= original["bytes"] < bytes_ * 1.5 + 50_000


def test_a_plan_leaves_no_sweep_behind(tmp_path):
    file, home = write_sweep(tmp_path), tmp_path / "home"
    shown = tlsearch(home, "plan", file)
    assert shown.returncode == 0, shown.stderr
    assert "frozen prefixes" in shown.stdout
    assert [path.name for path in home.iterdir()] == ["store"]
    trials = tlsearch(home, "trials", file)
    assert trials.returncode == 2
