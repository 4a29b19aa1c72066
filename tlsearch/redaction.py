"""Text without credentials: whatever leaves the process for people, files or a tracker.

Shown as *** are passwords in addresses, query parameters that grant access (presigned addresses
among them), `Authorization` headers, and the values of environment variables that hold secrets,
wherever they stand. What is used, such as the address of a database, is never passed through here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any
from urllib.parse import unquote, urlsplit

from tlsearch.causes import with_causes

HIDDEN = "***"

SHORTEST = 8
"""Characters; the environment's shorter secrets are looked for in addresses alone, because they
may be words of any text."""

_INSIDE = r"[^\s\"'<>`]"
_PASSWORD = re.compile(rf"(://[^:/@\s\"'<>`]*):{_INSIDE}+@")
"""The name stays. SQLAlchemy takes a password with any character but @; of an address whose path
has an @ after a port more is hidden than need be."""
_HTTP_TOKEN = re.compile(r"(?i)(https?://)[^:/@\s\"'<>`]+@")
"""A name without a password."""
_WORDS = "passwo?r?d|pwd|token|secret|signature|credential|api[-_]?key|access[-_]?key"
_QUERY = re.compile(
    rf"(?i)([?&;](?:[\w.-]*(?:{_WORDS})[\w.-]*|sig|key|auth|authorization|pass|code)=)"
    r"[^&;#\s\"'<>`]+"
)
_SETTING = re.compile(
    rf"(?i)((?<![\w?&;.-])[\w-]*(?:{_WORDS})(?:=|[\"']\s*:\s*)[\"']?)[^&,;)}}\s\"'<>`]+"
)
"""`password=...` as drivers of databases write it, and `'password': '...'`."""
_HEADER = re.compile(
    r"(?i)(authorization[\"']?\s*[:=]\s*[\"']?(?:\w+\s+)?|\bbearer\s+)[\w.~+/=-]{8,}"
)

_SECRET_NAMES = (
    "PASSWORD",
    "PASSWD",
    "_PWD",
    "TOKEN",
    "SECRET",
    "SECRET_KEY",
    "ACCESS_KEY",
    "ACCESS_KEY_ID",
    "API_KEY",
)
"""How names of environment variables end whose values are secrets."""

_ADDRESSES = ("TLSEARCH_STORAGE", "MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")


def redact(text: str) -> str:
    """The text with *** in the place of every credential."""
    return _without(text, _secrets())


def redact_values(values: Any) -> Any:
    """Nested mappings, lists and tuples with every text in them redacted; keys stay."""
    return _redact_nested(values, _secrets())


def redact_error(error: BaseException) -> BaseException:
    """What to raise an error from: `error`, or where a credential stands in it a copy without.

    A traceback shows the texts of all that an error came of.
    """
    chain = [*with_causes(error)]
    if all(redact(str(one)) == str(one) for one in chain):
        return error
    copies = [RuntimeError(f"{type(one).__name__}: {redact(str(one))}") for one in chain]
    for copy, cause in pairwise(copies):
        copy.__cause__ = cause
    return copies[0]


def is_redacted(address: str) -> bool:
    """Whether this is what `redact` makes of an address with credentials: it cannot be used."""
    return f":{HIDDEN}@" in address or f"={HIDDEN}" in address or f"//{HIDDEN}@" in address


def _redact_nested(values: Any, secrets: Sequence[str]) -> Any:
    if isinstance(values, str):
        return _without(values, secrets)
    if isinstance(values, Mapping):
        return {key: _redact_nested(value, secrets) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [_redact_nested(value, secrets) for value in values]
    return values


def _without(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    if "://" in text:
        text = _PASSWORD.sub(rf"\1:{HIDDEN}@", text)
        text = _HTTP_TOKEN.sub(rf"\1{HIDDEN}@", text)
    for pattern in (_QUERY, _SETTING, _HEADER):
        text = pattern.sub(rf"\1{HIDDEN}", text)
    return text


def _secrets() -> list[str]:
    """The secrets of the environment, the longest first: one may be a part of another."""
    names = [name for name in os.environ if name.upper().endswith(_SECRET_NAMES)]
    found = {os.environ.get(name, "") for name in names}
    for name in _ADDRESSES:
        found |= _of_address(os.environ.get(name, ""))
    return sorted((one for one in found if len(one) >= SHORTEST), key=len, reverse=True)


def _of_address(address: str) -> set[str]:
    """The password of an address, as it is written and as it is meant."""
    try:
        password = urlsplit(address).password or ""
    except ValueError:
        return set()
    return {password, unquote(password)}
