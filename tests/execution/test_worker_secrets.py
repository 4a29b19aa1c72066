"""A worker's log and what it tells of an error hold no credentials."""

from __future__ import annotations

import pytest
from tiny_jobs import Raises, end_of, local_executor

from tlsearch.execution.notices import Notice, without_credentials

SECRET = "pl4nted-s3cret"


@pytest.fixture
def executor(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", f"{SECRET}-2")
    made = local_executor(tmp_path / "logs")
    yield made
    made.close()


def test_an_error_that_quotes_an_address_and_a_password(executor, tmp_path):
    text = f"no answer from https://anna:{SECRET}@h/a?token={SECRET} and {SECRET}-2"
    executor.submit(Raises(1, ValueError(text)))
    failed = end_of(executor, 1)[-1]
    log = "".join(path.read_text() for path in (tmp_path / "logs").rglob("*.log"))
    for shown in (failed.reason, failed.details, log):
        assert "no answer from https://anna:***@h/a?token=*** and ***" in shown
        assert SECRET not in shown
    assert SECRET not in repr(failed)


def test_notices():
    told = []
    notice = Notice("data_ready", {"warnings": [f"?token={SECRET}"], "photos": {"train": 3}})
    without_credentials(told.append)(notice)
    assert told == [Notice("data_ready", {"warnings": ["?token=***"], "photos": {"train": 3}})]
