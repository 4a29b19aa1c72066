"""Bytes in words, the same in messages, tables and reasons."""

from __future__ import annotations

GB = 10**9


def size(bytes_: float) -> str:
    """Bytes as 0.4 MB, 18.8 MB or 2.35 GB."""
    return f"{bytes_ / 1e6:,.1f} MB" if bytes_ < GB else f"{bytes_ / GB:,.2f} GB"
