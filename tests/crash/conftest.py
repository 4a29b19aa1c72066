"""A sweep that runs, to be killed."""

from __future__ import annotations

import pytest
from killable import Killable


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def running(home, file):
    """The sweep of the test's `file`; whatever is left of it at the end is killed."""
    killable = Killable(home, file)
    yield killable
    killable.kill()
