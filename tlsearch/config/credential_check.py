"""Addresses whose credentials were left out when they were written down, as in resolved.yaml."""

from __future__ import annotations

from collections.abc import Iterator

from tlsearch.config.document import Document, KeyPath, Mistake, dotted
from tlsearch.config.mistakes import received
from tlsearch.redaction import is_redacted

_ADDRESSES: dict[KeyPath, str] = {
    ("search", "storage"): "set TLSEARCH_STORAGE to the whole address",
    ("tracking", "uri"): "set MLFLOW_TRACKING_URI to the whole address",
    ("data", "source"): "give the whole address as an override: data.source=...",
    ("probe", "source"): "give the whole address as an override: probe.source=...",
}
"""Where an address may stand, and how else it can be given."""


def check_credentials(document: Document) -> Iterator[Mistake]:
    """A mistake for each address that cannot be used any more."""
    for path, hint in _ADDRESSES.items():
        address = document.find(path)
        if isinstance(address, str) and is_redacted(address):
            what = f"{dotted(path)} has lost its credentials {received(address)}"
            yield Mistake(document.value_spot(path), what, hint)
