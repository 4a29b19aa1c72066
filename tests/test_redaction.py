"""No credential is left in a text; everything else is."""

from __future__ import annotations

import traceback

import httpx
import pytest
import requests

from tlsearch.errors import DataError, SweepFileError
from tlsearch.redaction import is_redacted, redact, redact_error, redact_values

SECRET = "pl4nted-s3cret"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://anna:{}@db:5432/optuna", "postgresql://anna:***@db:5432/optuna"),
        ("postgresql+psycopg://:{}@db/x", "postgresql+psycopg://:***@db/x"),
        ("mysql://anna:a/{}?b@db/x", "mysql://anna:***@db/x"),
        ("mysql://anna:a@{}@db/x", "mysql://anna:***@db/x"),
        ("https://{}@example.org/a.tgz", "https://***@example.org/a.tgz"),
        ("(two: 'http://a:{}@b', 'http://c:d@e')", "(two: 'http://a:***@b', 'http://c:***@e')"),
        ("https://h/a.tgz?token={}&part=1", "https://h/a.tgz?token=***&part=1"),
        ("/api?page=2&access_token={}", "/api?page=2&access_token=***"),
        ("db://h/x?user=a&password={}#end", "db://h/x?user=a&password=***#end"),
        (
            "https://s3/a?X-Amz-Signature={}&X-Amz-Date=1",
            "https://s3/a?X-Amz-Signature=***&X-Amz-Date=1",
        ),
        ("https://s3/a?AWSAccessKeyId={}", "https://s3/a?AWSAccessKeyId=***"),
        ("https://blob/a?sv=2024&sig={}", "https://blob/a?sv=2024&sig=***"),
        ("host=db user=a password={} dbname=x", "host=db user=a password=*** dbname=x"),
        ("{{'user': 'a', 'password': '{}'}}", "{{'user': 'a', 'password': '***'}}"),
        ("Authorization: Basic {}", "Authorization: Basic ***"),
        ("{{'Authorization': 'Bearer {}'}}", "{{'Authorization': 'Bearer ***'}}"),
    ],
)
def test_credentials_are_hidden(text, shown):
    hidden = redact(text.format(SECRET))
    assert SECRET not in hidden
    assert hidden == shown.replace("{{", "{").replace("}}", "}")
    assert redact(hidden) == hidden


@pytest.mark.parametrize(
    "text",
    [
        "no address: here@all",
        "sqlite:////home/anna/a:b@c/optuna.db",
        "http://localhost:5000/#/experiments/1",
        "models:/roses@champion",
        "https://example.org/photos.tgz?part=1&page=2",
        "postgresql://anna@db/optuna",
        "--trial 3 expected: one of [1, 2]; budget.trials=10, monkey=5",
        "the basic information about a bearer of news",
    ],
)
def test_the_rest_stays(text):
    assert redact(text) == text


def test_secrets_of_the_environment_are_hidden_wherever_they_stand(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", SECRET)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "short")
    assert redact(f"sent {SECRET!r} in short") == "sent '***' in short"


def test_the_password_of_an_address_is_hidden_as_it_is_meant_too(monkeypatch):
    monkeypatch.setenv("TLSEARCH_STORAGE", "postgresql://anna:pl4nted%40s3cret@db/x")
    assert redact("login of anna with pl4nted@s3cret failed") == "login of anna with *** failed"


def test_nested_values():
    values = {"a": [f"db://u:{SECRET}@h", 3, None], "b": {"c": (True, f"?token={SECRET}")}}
    expected = {"a": ["db://u:***@h", 3, None], "b": {"c": [True, "?token=***"]}}
    assert redact_values(values) == expected


def test_errors_of_ours_hold_none():
    address = f"https://anna:{SECRET}@h/a.tgz"
    error = DataError(f"{address} is gone", received=address, expected=address, hint=address)
    assert SECRET not in f"{error} {error!r} {error.args} {vars(error)}"
    assert str(error).count("https://anna:***@h/a.tgz") == 4
    mistake = SweepFileError([f"a.yaml:1:1: no such place {address}"])
    assert SECRET not in f"{mistake} {mistake.mistakes}"


def _refused():
    requests.get(f"http://anna:{SECRET}@127.0.0.1:1/a?token={SECRET}", timeout=5)


def _not_found():
    request = httpx.Request("GET", f"https://h/a.tgz?X-Amz-Signature={SECRET}")
    httpx.Response(404, request=request).raise_for_status()


@pytest.mark.parametrize("call", [_refused, _not_found])
def test_what_an_error_came_of_is_shown_without_credentials(call):
    try:
        try:
            call()
        except Exception as error:
            raise DataError("it failed", received=error) from redact_error(error)
    except DataError as error:
        shown = "".join(traceback.format_exception(error))
    assert SECRET not in shown
    assert "***" in shown


def test_an_error_without_credentials_stays():
    error = ValueError("plain")
    assert redact_error(error) is error


@pytest.mark.parametrize(
    "address", [f"db://a:{SECRET}@h/x", f"https://{SECRET}@h", f"https://h/a?token={SECRET}"]
)
def test_what_was_redacted_is_known_again(address):
    assert not is_redacted(address)
    assert is_redacted(redact(address))
