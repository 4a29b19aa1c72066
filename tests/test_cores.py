from __future__ import annotations

import os
import sys

import pytest

from tlsearch.cores import usable_cores

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="containers' limits are of Linux")
ALL = len(os.sched_getaffinity(0)) if sys.platform == "linux" else 0


@pytest.mark.parametrize(
    ("text", "cores"),
    [
        ("max 100000", ALL),
        ("50000 100000", 1),
        (f"{ALL * 100000} 100000", ALL),
        ("9900000 100000", ALL),
        ("100000 0", ALL),
        ("", ALL),
        ("nonsense", ALL),
    ],
)
def test_a_quota_of_version_2(tmp_path, text, cores):
    (tmp_path / "cpu.max").write_text(text + "\n")
    assert usable_cores(tmp_path) == cores


@pytest.mark.parametrize(("quota", "cores"), [("-1", ALL), ("25000", 1)])
def test_a_quota_of_version_1(tmp_path, quota, cores):
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert usable_cores(tmp_path) == cores


def test_no_container(tmp_path):
    assert usable_cores(tmp_path) == ALL
    assert 1 <= usable_cores() <= ALL
