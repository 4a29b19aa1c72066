"""Compressed bodies, decompressed as far as they may grow."""

from __future__ import annotations

import zlib

from serving.http.refusals import too_large, unsupported
from serving.problems import invalid

_EITHER_HEADER = 32 + zlib.MAX_WBITS
"""zlib tells gzip from deflate by what the body begins with."""
ENCODINGS = (b"gzip", b"deflate")


def decompress(body: bytes, encoding: bytes, limit: int) -> bytes:
    """A gzip or deflate (zlib) body as it was.

    Args:
        encoding: what Content-Encoding says, in small letters.
        limit: bytes that it may have then.

    Raises:
        Problem: 413 it would grow above `limit`; 415 another encoding; 400 it is damaged.
    """
    if encoding not in ENCODINGS:
        raise unsupported("Content-Encoding may be gzip or deflate; or send it as it is")
    machine = zlib.decompressobj(_EITHER_HEADER)
    try:
        whole = machine.decompress(body, limit + 1)
    except zlib.error as error:
        raise invalid(f"the body is no {encoding.decode()}: {error}") from error
    if len(whole) > limit:
        raise too_large(limit, "a body, decompressed,")
    if not machine.eof or machine.unused_data:
        raise invalid(f"the {encoding.decode()} body is cut off, or more follows it")
    return whole
