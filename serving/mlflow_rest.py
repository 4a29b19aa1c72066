"""Questions to an MLflow server over HTTP, without MLflow, and what goes wrong on the way.

The environment says who asks, with the variables that MLflow's own clients read. Leaves out what
is asked: that is `registry`.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from serving.mlflow_access import (
    ADDRESS_HINT,
    choose_auth,
    open_transport,
    parse_address,
)
from tlsearch.errors import BundleError, SetupError

JSON_LIMIT = 1 << 20
"""Bytes of the longest answer that is not a file."""

_CONNECT_SECONDS, _SILENCE_SECONDS = 5, 20
_RETRIES = 2
_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


class Unreachable(SetupError):
    """The server does not answer, or fails: later it may well do."""


class NotThere(SetupError):
    """The server answers that it has no such thing."""


@dataclass(slots=True)
class Allowance:
    """How many bytes may still come, until which `time.monotonic()`."""

    size: int
    until: float

    def spend(self, count: int) -> None:
        """Take off what has come.

        Raises:
            BundleError: it was too much.
            Unreachable: it came too late.
        """
        self.size -= count
        if self.size < 0:
            raise BundleError(
                "the bundle is too large",
                received=f"{-self.size:,} bytes more than may come",
                expected="the bundle of an image classifier",
                hint="look at what was registered as this version",
            )
        if time.monotonic() > self.until:
            raise Unreachable(
                "the bundle comes too slowly",
                received=f"{self.size:,} bytes less than might have come when the time was over",
                expected="a network that carries it in minutes",
                hint="look at the network between here and MLflow, and try again",
            )


class MLflowServer:
    """One MLflow server. Several threads may ask at once."""

    def __init__(self, uri: str | None = None, environment: Mapping[str, str] = os.environ) -> None:
        """Nothing is asked yet.

        Args:
            uri: its address, `http://` or `https://`; default: MLFLOW_TRACKING_URI.
            environment: MLFLOW_TRACKING_USERNAME and _PASSWORD, or _TOKEN; _SERVER_CERT_PATH for
                a certificate authority of one's own; _INSECURE_TLS=true for none at all.

        Raises:
            SetupError: that is no address of a server, or the token, certificate or proxy is
                unusable.
        """
        url = parse_address(uri or environment.get("MLFLOW_TRACKING_URI", ""))
        bare = url.copy_with(userinfo=b"", query=None, fragment=None)
        self.address = str(bare).rstrip("/")
        self._client = httpx.Client(
            auth=choose_auth(url, environment),
            # MLflow sends files as they are, and so does everything between, if told so: the
            # bytes that arrive are then the bytes that are counted.
            headers={"Accept-Encoding": "identity"},
            timeout=httpx.Timeout(_SILENCE_SECONDS, connect=_CONNECT_SECONDS),
            transport=open_transport(bare, environment, _RETRIES),
        )

    def ask(self, path: str, **query: str) -> dict[str, Any]:
        """The answer to a question of MLflow's REST API, such as `model-versions/get`.

        Raises:
            NotThere: there is no such thing.
            Unreachable: no answer, or the server failed.
            SetupError: it refuses, or is no MLflow server.
        """
        with self._answer(f"api/2.0/mlflow/{path}", query) as answer:
            body = b"".join(_limited(answer, JSON_LIMIT))
            content = _as_json(body)
        if content is None:
            raise self._no_mlflow(answer, body)
        return content

    def save(self, path: str, query: Mapping[str, str], target: Path, allowance: Allowance) -> None:
        """Stream a file to disk, all the way down.

        Raises:
            BundleError: it is too large.
            SetupError: as `ask`.
        """
        with self._answer(path, query) as answer, target.open("wb") as file:
            for chunk in answer.iter_bytes():
                allowance.spend(len(chunk))
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    @contextmanager
    def _answer(self, path: str, query: Mapping[str, str]) -> Iterator[httpx.Response]:
        try:
            with self._client.stream("GET", f"{self.address}/{path}", params=query) as answer:
                if not answer.is_success:
                    raise self._refused(answer)
                yield answer
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    def _refused(self, answer: httpx.Response) -> SetupError:
        body = b"".join(_limited(answer, JSON_LIMIT))
        said = _as_json(body) or {}
        if said.get("error_code") in _ABSENT:
            return NotThere(f"MLflow at {self.address} has none", received=said.get("message"))
        if answer.status_code == 401:
            return self._unknown_user(answer)
        if answer.status_code == 403:
            return self._forbidden(answer, body)
        if answer.status_code >= 500 or answer.status_code == 429:
            return self._failed(answer, said)
        return self._no_mlflow(answer, body)

    def _unreachable(self, error: httpx.HTTPError) -> Unreachable:
        # Of all httpx's errors these alone are sure to quote no header.
        told = isinstance(error, httpx.NetworkError | httpx.TimeoutException) and str(error)
        return Unreachable(
            f"MLflow at {self.address} does not answer",
            received=": ".join(filter(None, (type(error).__name__, told or ""))),
            expected="an MLflow server that can be reached from here",
            hint=f"start it, or {ADDRESS_HINT}",
        )

    def _failed(self, answer: httpx.Response, said: Mapping[str, Any]) -> Unreachable:
        return Unreachable(
            f"MLflow at {self.address} failed",
            received=f"{answer.status_code} {said.get('message', '')}".strip()[:300],
            expected="an answer; files need a server that can read its own artifact store",
            hint="its log says why",
        )

    def _unknown_user(self, answer: httpx.Response) -> SetupError:
        return SetupError(
            f"MLflow at {self.address} does not accept these credentials",
            received=f"{answer.status_code} {answer.reason_phrase}",
            expected="a user and password, or a token, that it knows",
            hint="set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, "
            "or MLFLOW_TRACKING_TOKEN",
        )

    def _forbidden(self, answer: httpx.Response, body: bytes) -> SetupError:
        if b"Invalid Host header" in body:
            host = httpx.URL(self.address).netloc.decode()
            return SetupError(
                f"MLflow does not answer to the name {host}",
                received=f"{answer.status_code} Invalid Host header",
                expected="a name that the server was told, each with its port",
                hint=f"start it with `mlflow server --allowed-hosts {host}`",
            )
        return SetupError(
            f"MLflow at {self.address} does not let this user read that",
            received=f"{answer.status_code} {answer.reason_phrase}",
            expected="a user with the permission READ on the registered model",
            hint="grant it in MLflow, or set MLFLOW_TRACKING_USERNAME to another user",
        )

    def _no_mlflow(self, answer: httpx.Response, body: bytes) -> SetupError:
        start = body[:80].decode(errors="replace").strip()
        return SetupError(
            f"{self.address} does not answer as MLflow does",
            received=f"{answer.status_code} {answer.headers.get('content-type', '')}: {start}",
            expected="the REST API of an MLflow 3 server",
            hint=ADDRESS_HINT,
        )


def _limited(answer: httpx.Response, limit: int) -> Iterator[bytes]:
    left, until = limit, time.monotonic() + _SILENCE_SECONDS
    for chunk in answer.iter_bytes():
        yield chunk[:left]
        left -= len(chunk)
        if left <= 0:
            return
        if time.monotonic() > until:
            raise httpx.ReadTimeout("the answer comes too slowly")


def _as_json(body: bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(body)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None
